"""Three instrumentations of the real client: each bills a call right, and all together bill it once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import uuid4

import openai
import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from costtrack.integrations.otel import CostTrackSpanExporter, CostTrackSpanProcessor
from costtrack.models import ResourceUsage
from tests.integrations.otel.tracing import (
    ALL,
    OFFICIAL,
    OPENINFERENCE,
    OPENLLMETRY,
    Calls,
    ask,
    embed,
    read_stream,
    respond,
    traced,
)
from tests.integrations.wire.answers import event_stream, json_answer
from tests.integrations.wire.openai_bodies import (
    CHAT_ID,
    chat_chunks,
    chat_completion,
    chat_usage,
    embeddings,
    error,
    response,
    responses_usage,
)
from tests.integrations.wire.server import Wire

pytestmark = pytest.mark.django_db

CACHED = chat_usage(1000, 100, cached_tokens=400, reasoning_tokens=60)
FULL = Decimal("0.0045")
"""1000 x 3 + 100 x 15 = 4,500 per million."""
WITH_CACHE = Decimal("0.00342")
"""600 x 3 + 400 x 0.3 + 100 x 15 = 3,420 per million."""
SHUFFLED = [ALL, ALL[::-1], (OPENINFERENCE, OFFICIAL, OPENLLMETRY)]


def rows_of(call: Calls, client: openai.OpenAI, *names: str) -> list[ResourceUsage]:
    """What is booked when the call is traced by these."""
    processor = CostTrackSpanProcessor()
    with traced(*names, to=[processor]):
        call(client)
    assert not processor._traces, "spans still wait"
    return list(ResourceUsage.objects.order_by("id"))


def facts(row: ResourceUsage) -> tuple[Any, ...]:
    return (row.idempotency_key, row.cost_usd, row.input_tokens, row.cache_read_tokens, row.output_tokens)


@pytest.mark.parametrize("name", ALL)
def test_each_bills_a_chat_right(wire: Wire, client: openai.OpenAI, name: str) -> None:
    wire.gives(json_answer(chat_completion()))
    (row,) = rows_of(ask, client, name)
    assert facts(row) == (f"openai:{CHAT_ID}", FULL, 1000, 0, 100)
    assert (row.provider, row.model, row.service_tier) == ("openai", "gpt-test-2026-08-07", "standard")
    assert (row.outcome, row.cost_source, row.project.slug) == ("success", "estimated", "website")
    assert row.metadata["finish_reason"] == "stop"
    assert row.latency_ms is not None


@pytest.mark.parametrize("name", [OPENLLMETRY, OPENINFERENCE])
def test_each_that_tells_cached_tokens_bills_them_right(wire: Wire, client: openai.OpenAI, name: str) -> None:
    wire.gives(json_answer(chat_completion(CACHED)))
    (row,) = rows_of(ask, client, name)
    assert facts(row) == (f"openai:{CHAT_ID}", WITH_CACHE, 1000, 400, 100)
    assert row.reasoning_tokens == 60


@pytest.mark.parametrize("names", SHUFFLED, ids=lambda names: names[-1])
def test_all_together_bill_a_chat_once_with_what_only_some_of_them_know(
    wire: Wire, client: openai.OpenAI, names: tuple[str, ...]
) -> None:
    wire.gives(json_answer(chat_completion(CACHED, service_tier="flex")))
    (row,) = rows_of(ask, client, *names)
    assert facts(row) == (f"openai:{CHAT_ID}", WITH_CACHE, 1000, 400, 100)
    assert row.service_tier == "flex"


@pytest.mark.parametrize("names", SHUFFLED, ids=lambda names: names[-1])
def test_all_together_bill_a_stream_once_whoever_ends_first(
    wire: Wire, client: openai.OpenAI, names: tuple[str, ...]
) -> None:
    wire.gives(event_stream(chat_chunks("Hel", "lo!", usage=CACHED)))
    (row,) = rows_of(read_stream, client, *names)
    assert facts(row) == (f"openai:{CHAT_ID}", WITH_CACHE, 1000, 400, 100)


@pytest.mark.parametrize("names", [(OPENLLMETRY,), (OPENINFERENCE,), *SHUFFLED], ids="+".join)
def test_responses_are_billed_once(wire: Wire, client: openai.OpenAI, names: tuple[str, ...]) -> None:
    answer = response(responses_usage(2000, 200, cached_tokens=1000, reasoning_tokens=150))
    response_id = f"resp_{uuid4().hex}"  # OpenLLMetry takes a known one for the same call, polled
    wire.gives(json_answer({**answer, "id": response_id}))
    (row,) = rows_of(respond, client, *names)
    # 1000 x 3 + 1000 x 0.3 + 200 x 15 = 6,300 per million
    assert facts(row) == (f"openai:{response_id}", Decimal("0.0063"), 2000, 1000, 200)


@pytest.mark.parametrize("names", [*((name,) for name in ALL), *SHUFFLED], ids="+".join)
def test_embeddings_which_have_no_id_are_billed_once(wire: Wire, client: openai.OpenAI, names: tuple[str, ...]) -> None:
    wire.gives(json_answer(embeddings(1000)))
    (row,) = rows_of(embed, client, *names)
    assert (row.cost_usd, row.input_tokens, row.output_tokens) == (Decimal("0.001"), 1000, 0)  # 1000 x 1 per million
    assert row.idempotency_key.startswith("otel:")


@pytest.mark.parametrize("names", [*((name,) for name in ALL), *SHUFFLED], ids="+".join)
def test_a_call_that_failed_is_one_row_without_cost(wire: Wire, client: openai.OpenAI, names: tuple[str, ...]) -> None:
    wire.gives(json_answer(error("Too long."), 400))

    def fail(client: openai.OpenAI) -> None:
        with pytest.raises(openai.BadRequestError):
            ask(client)

    (row,) = rows_of(fail, client, *names)
    assert (row.outcome, row.input_tokens) == ("error", 0)
    assert "BadRequestError" in row.error_type
    assert not row.cost_usd


@pytest.mark.parametrize("names", SHUFFLED, ids=lambda names: names[-1])
def test_a_local_server_whose_ids_repeat_is_billed_for_each_call_once(
    wire: Wire, client: openai.OpenAI, names: tuple[str, ...]
) -> None:
    wire.gives(*(json_answer(chat_completion(response_id="chatcmpl-123")) for _ in range(2)))
    rows = rows_of(lambda client: (ask(client), ask(client)), client, *names)
    assert [row.cost_usd for row in rows] == [FULL, FULL]


def test_a_span_sent_by_exporter_and_processor_and_batch_is_billed_once(wire: Wire, client: openai.OpenAI) -> None:
    kept = InMemorySpanExporter()
    processors = [CostTrackSpanProcessor(), SimpleSpanProcessor(CostTrackSpanExporter()), SimpleSpanProcessor(kept)]
    wire.gives(json_answer(chat_completion(response_id="chatcmpl-123")), json_answer(embeddings(1000)))
    with traced(OFFICIAL, to=processors):
        ask(client)
        embed(client)
    CostTrackSpanExporter().export(kept.get_finished_spans())
    assert sorted(ResourceUsage.objects.values_list("cost_usd", flat=True)) == [Decimal("0.001"), FULL]


def test_an_exporter_bills_the_batch_of_three_instrumentations_once(wire: Wire, client: openai.OpenAI) -> None:
    kept = InMemorySpanExporter()
    wire.gives(json_answer(chat_completion(CACHED)), json_answer(embeddings(1000)), json_answer(error(), 400))
    with traced(*ALL, to=[SimpleSpanProcessor(kept)]):
        ask(client)
        embed(client)
        with pytest.raises(openai.BadRequestError):
            ask(client)
    assert len(kept.get_finished_spans()) == 9
    CostTrackSpanExporter().export(kept.get_finished_spans())
    CostTrackSpanExporter().export(kept.get_finished_spans())
    rows = ResourceUsage.objects.values_list("outcome", "output_tokens", "cost_usd")
    costs = {(outcome, output): cost for outcome, output, cost in rows}
    assert len(rows) == 3
    assert (costs["success", 100], costs["success", 0]) == (WITH_CACHE, Decimal("0.001"))
    assert not costs["error", 0]
