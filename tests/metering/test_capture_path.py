"""What a caller waits for with the spool: no database, and an event that keeps only what was said."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from costtrack.domain.events import UsageEvent
from costtrack.domain.tokens import TokenUsage
from costtrack.metering import spool
from costtrack.metering.context import attribute
from costtrack.metering.decorator import track_api_call
from costtrack.metering.events import build_event
from costtrack.metering.meter import meter
from costtrack.metering.record import record_api_call, record_usage
from costtrack.metering.spool.encoding import decode, encode
from costtrack.models import ResourceUsage
from tests.factories import make_organization, make_rate


def record_in_a_scope() -> None:
    with attribute(organization="acme", project="search", agent="reranker", tags={"team": "growth"}):
        record_usage(model="test-model", provider="openai", input_tokens=1000, output_tokens=500)


def record_a_tool() -> None:
    record_api_call("pubmed", organization="acme", latency_ms=120)


def meter_a_block() -> None:
    with meter("summarize", model="test-model", provider="openai", organization="acme") as call:
        call.set_usage(input_tokens=1000, output_tokens=500)


def call_a_tracked_function() -> None:
    @track_api_call(provider="openai", model="test-model", organization="acme")
    def answer() -> dict[str, Any]:
        return {"model": "test-model", "usage": {"prompt_tokens": 1000, "completion_tokens": 500}}

    answer()


CALLS = [record_in_a_scope, record_a_tool, meter_a_block, call_a_tracked_function]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("metered", CALLS)
def test_a_spooled_call_makes_no_query_on_its_thread(metered: Callable[[], None], settings: Any) -> None:
    make_organization("acme")
    make_rate()
    settings.COSTTRACK = {"TRANSPORT": "spool"}
    with CaptureQueriesContext(connection) as queries:
        metered()  # the first one starts the spool and its flusher
        metered()
    assert [query["sql"] for query in queries] == []
    assert spool.flush()
    assert ResourceUsage.objects.count() == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("metered", CALLS)
def test_an_inline_call_does(metered: Callable[[], None], settings: Any) -> None:
    make_organization("acme")
    settings.COSTTRACK = {"TRANSPORT": "inline"}
    with CaptureQueriesContext(connection) as queries:
        metered()
    assert len(queries) > 0


LITTLE = [
    build_event(input_tokens=10),
    build_event(model="gpt-4o"),
    build_event(resource_type="api_call", provider="pubmed", outcome="error"),
    build_event(input_tokens=10, cache_read_tokens=0, service_tier="default", metadata={}),
    *[build_event(model="gpt-4o", input_tokens=10, output_tokens=5, cache_read_tokens=0) for _ in range(2)],
]
"""The last one is made at once: its model has been met before."""


@pytest.mark.parametrize("event", LITTLE)
def test_what_an_event_does_not_say_is_not_in_its_line_and_is_read_as_its_default(event: UsageEvent) -> None:
    line = encode(event, 1)
    assert b"saving_usd" not in line
    assert b"cache_read_tokens" not in line
    assert decode(line[:-1]).event == event


def test_defaults_are_those_of_an_event_that_says_everything() -> None:
    little = build_event(resource_type="api_call", provider="pubmed")
    told = UsageEvent(
        idempotency_key=little.idempotency_key,
        occurred_at=little.occurred_at,
        attribution=little.attribution,
        resource_type="api_call",
        amount=Decimal(1),
        provider="pubmed",
    )
    assert little == told
    assert (little.tokens, little.saving_usd, little.outcome) == (TokenUsage(), Decimal(0), "success")
    assert repr(little) == repr(told)
