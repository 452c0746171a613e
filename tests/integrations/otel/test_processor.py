"""The span processor in a host's process: attribution, `meter` blocks and hooks around it, spans that never end."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import openai
import pytest
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from costtrack import attribute, meter
from costtrack.integrations.openai import instrument
from costtrack.integrations.otel import CostTrackSpanProcessor
from costtrack.integrations.otel.processor import MAX_WAITING
from costtrack.metering.database_thread import wait_for_later
from costtrack.models import Organization, ResourceUsage
from costtrack.testing import capture_usage
from tests.factories import make_organization
from tests.integrations.otel.tracing import ALL, OFFICIAL, OPENINFERENCE, OPENLLMETRY, ask, traced
from tests.integrations.wire.answers import json_answer
from tests.integrations.wire.openai_bodies import CHAT_ID, chat_completion
from tests.integrations.wire.server import Wire

pytestmark = pytest.mark.django_db

FULL = Decimal("0.0045")
"""1000 x 3 + 100 x 15 = 4,500 per million."""
REQUEST = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-test"}
COUNTS = {"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 100}


@pytest.fixture
def processor() -> CostTrackSpanProcessor:
    return CostTrackSpanProcessor()


@pytest.fixture
def tracer(processor: CostTrackSpanProcessor, priced: Organization) -> Iterator[trace.Tracer]:
    provider = TracerProvider(resource=Resource.create({"service.name": "website"}), shutdown_on_exit=False)
    provider.add_span_processor(processor)
    yield provider.get_tracer("test.instrumentation")
    provider.shutdown()


def call(tracer: trace.Tracer, **more: Any) -> None:
    with tracer.start_as_current_span("chat", attributes={**REQUEST, **COUNTS, **more}):
        pass


def test_what_attribute_says_where_the_call_is_made_holds_for_its_span(tracer: trace.Tracer) -> None:
    make_organization("acme")
    with attribute(organization="acme", project="shop", thread_id="t-1", tags={"team": "search"}):
        call(tracer, **{"gen_ai.conversation.id": "derived", "costtrack.sprint": "s-7", "user.id": "u-9"})
        ended_elsewhere = tracer.start_span("chat", attributes={**REQUEST, **COUNTS})
    ended_elsewhere.end()
    first, second = ResourceUsage.objects.order_by("id")
    for row in (first, second):
        assert row.project is not None
        assert (row.organization.slug, row.project.slug, row.thread_id) == ("acme", "shop", "t-1")
        assert row.tags == {"team": "search"}
    assert (first.sprint, first.user) == ("s-7", "u-9")


def test_a_span_s_own_word_wins_over_the_scope(tracer: trace.Tracer) -> None:
    with attribute(project="shop", thread_id="t-1"):
        call(tracer, **{"costtrack.thread_id": "t-2"})
    row = ResourceUsage.objects.get()
    assert row.project is not None
    assert (row.project.slug, row.thread_id) == ("shop", "t-2")


def test_the_sdks_hook_and_the_spans_of_three_instrumentations_bill_a_call_once(
    wire: Wire, client: openai.OpenAI, processor: CostTrackSpanProcessor
) -> None:
    instrument(client, provider="openai")
    wire.gives(json_answer(chat_completion()))
    with traced(*ALL, to=[processor]):
        ask(client)
    row = ResourceUsage.objects.get()
    assert (row.cost_usd, row.idempotency_key) == (FULL, f"openai:{CHAT_ID}")


@pytest.mark.parametrize("names", [(OFFICIAL,), (OPENLLMETRY,), (OPENINFERENCE,), ALL], ids="+".join)
@pytest.mark.parametrize("response_id", [CHAT_ID, "chatcmpl-123"])
def test_a_meter_block_around_a_traced_call_adds_no_row_even_where_ids_repeat(
    wire: Wire, client: openai.OpenAI, processor: CostTrackSpanProcessor, names: tuple[str, ...], response_id: str
) -> None:
    wire.gives(json_answer(chat_completion(response_id=response_id)))
    with traced(*names, to=[processor]), meter("chat", provider="openai", model="gpt-test") as block:
        block.observe(ask(client))
    assert ResourceUsage.objects.get().cost_usd == FULL


def test_openinference_that_hides_outputs_is_the_call_of_the_span_around_it(tracer: trace.Tracer) -> None:
    hidden = {"openinference.span.kind": "LLM", "llm.system": "openai", "llm.model_name": "gpt-test"}
    counts = {"llm.token_count.prompt": 1000, "llm.token_count.completion": 100}
    with tracer.start_as_current_span("outer", attributes={**REQUEST, "gen_ai.response.id": CHAT_ID}) as outer:
        with tracer.start_as_current_span("inner", attributes={**hidden, **counts}):
            pass
        assert not ResourceUsage.objects.exists()  # it waits
        outer.set_attributes(COUNTS)
    assert ResourceUsage.objects.get().idempotency_key == f"openai:{CHAT_ID}"


def test_an_agent_around_a_call_does_not_let_it_wait(tracer: trace.Tracer) -> None:
    agent = {**REQUEST, "gen_ai.operation.name": "invoke_agent"}
    chain = {"openinference.span.kind": "CHAIN"}
    spans = tracer.start_as_current_span
    with spans("agent", attributes=agent), spans("chain", attributes=chain):
        call(tracer)
        assert ResourceUsage.objects.get().cost_usd == FULL
    assert ResourceUsage.objects.count() == 1


def test_a_span_inside_that_is_dropped_without_an_end_lets_nobody_wait_for_ever(
    tracer: trace.Tracer, processor: CostTrackSpanProcessor
) -> None:
    with capture_usage() as log:
        with tracer.start_as_current_span("outer", attributes={**REQUEST, **COUNTS}):
            dropped = tracer.start_span("inner", attributes=REQUEST)
        assert len(log) == 0
        del dropped
        gc.collect()
        wait_for_later()
        assert processor.force_flush()
        assert [event.tokens.total_tokens for event in log] == [1100]


def test_what_waits_for_a_span_that_is_dropped_is_booked_when_that_is_gone(tracer: trace.Tracer) -> None:
    outer = tracer.start_span("outer", attributes=REQUEST)
    with capture_usage() as log:
        with trace.use_span(outer, end_on_exit=False):
            call(tracer)
        assert len(log) == 0, "it may be the outer one's call"
        del outer  # as of a stream that its consumer has left
        gc.collect()
        wait_for_later()
        assert [event.tokens.input_tokens for event in log] == [1000]


def test_traces_that_run_are_not_looked_through_again_and_again_past_the_most(
    tracer: trace.Tracer, processor: CostTrackSpanProcessor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("costtrack.integrations.otel.processor.MAX_TRACES", 10)
    processor._most_traces = 10
    looked: list[int] = []
    forget = processor._forget_dropped
    monkeypatch.setattr(processor, "_forget_dropped", lambda: (looked.append(len(processor._traces)), forget()))
    running = [tracer.start_span(f"span {number}") for number in range(100)]
    assert looked == [10, 20, 40, 80]
    for span in running:
        span.end()
    assert not processor._traces
    for number in range(100):
        tracer.start_span(f"dropped {number}")
    gc.collect()
    assert len(processor._traces) <= 100


def test_what_waits_is_booked_at_the_shutdown(tracer: trace.Tracer, processor: CostTrackSpanProcessor) -> None:
    outer = tracer.start_span("outer", attributes=REQUEST)
    with trace.use_span(outer):
        call(tracer)
    processor.shutdown()
    assert ResourceUsage.objects.get().cost_usd == FULL
    outer.end()
    assert ResourceUsage.objects.count() == 2  # it was not known for the same call any more, and saw no answer


def test_past_the_most_that_may_wait_all_are_booked(tracer: trace.Tracer, processor: CostTrackSpanProcessor) -> None:
    outer = tracer.start_span("outer", attributes=REQUEST)
    with capture_usage() as log:
        with trace.use_span(outer):
            for number in range(MAX_WAITING + 1):
                call(tracer, **{"gen_ai.response.id": f"chatcmpl-{number:029}"})
        assert len(log) == MAX_WAITING + 1
        outer.end()
    assert not processor._traces


def test_nothing_is_remembered_of_traces_that_have_ended(
    tracer: trace.Tracer, processor: CostTrackSpanProcessor
) -> None:
    for _ in range(50):
        with tracer.start_as_current_span("request"), tracer.start_as_current_span("query"):
            pass
    assert not processor._traces


def test_an_error_in_accounting_is_told_in_the_log_and_leaves_the_traced_call_alone(
    tracer: trace.Tracer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise OSError("away")

    monkeypatch.setattr("costtrack.integrations.otel.sdk_spans.submit", fail)
    call(tracer)
    assert "The usage of span" in caplog.text


def test_a_traced_call_in_a_coroutine_is_booked(tracer: trace.Tracer) -> None:
    import asyncio

    async def run() -> None:
        with attribute(thread_id="t-1"):
            call(tracer)

    with capture_usage() as log:
        asyncio.run(run())
    assert [event.attribution.thread_id for event in log] == ["t-1"]
