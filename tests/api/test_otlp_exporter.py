"""OpenTelemetry's own exporter against a live server: what its instrumentations trace is booked."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

from costtrack.models import ResourceUsage
from tests.api.callers import token_of
from tests.api.otlp_bodies import CALL
from tests.factories import make_organization, make_rate

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def token() -> str:
    make_rate()
    return token_of(make_organization())


def exporter_to(live_server: Any, token: str, *, packs: bool = False) -> OTLPSpanExporter:
    """As OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_HEADERS make one."""
    return OTLPSpanExporter(
        endpoint=f"{live_server.url}/api/costs/otlp/v1/traces",
        headers={"Authorization": f"Bearer {token}"},
        compression=Compression.Gzip if packs else Compression.NoCompression,
        timeout=10,
    )


@pytest.fixture
def provider() -> Iterator[TracerProvider]:
    provider = TracerProvider(resource=Resource.create({"service.name": "website"}), shutdown_on_exit=False)
    yield provider
    provider.shutdown()


@pytest.mark.parametrize("packs", [False, True], ids=["plain", "gzip"])
def test_spans_that_the_exporter_sends_are_booked_once(
    live_server: Any, token: str, provider: TracerProvider, packs: bool
) -> None:
    provider.add_span_processor(BatchSpanProcessor(exporter_to(live_server, token, packs=packs)))
    provider.add_span_processor(BatchSpanProcessor(exporter_to(live_server, token)))
    tracer = provider.get_tracer("test.instrumentation")
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 1000, "gen_ai.conversation.id": "t"}
    with tracer.start_as_current_span("invoke_agent", attributes=agent):
        with tracer.start_as_current_span("chat", attributes={**CALL, "gen_ai.conversation.id": "t-1"}):
            pass
        with tracer.start_as_current_span("execute_tool", attributes={"gen_ai.operation.name": "execute_tool"}):
            pass
    assert provider.force_flush()
    row = ResourceUsage.objects.get()
    assert (row.cost_usd, row.thread_id) == (Decimal("0.0045"), "t-1")  # 1000 x 3 + 100 x 15 = 4,500 per million
    assert row.project is not None
    assert row.project.slug == "website"


def test_a_key_that_is_not_valid_is_a_failure_that_the_exporter_tells(
    live_server: Any, token: str, provider: TracerProvider, caplog: pytest.LogCaptureFixture
) -> None:
    exporter = exporter_to(live_server, token[:-3] + "abc")
    ended = provider.get_tracer("test").start_span("chat", attributes=CALL)
    ended.end()
    with caplog.at_level(logging.ERROR):
        assert exporter.export([ended]) is SpanExportResult.FAILURE
    assert "401" in caplog.text
    assert not ResourceUsage.objects.exists()
