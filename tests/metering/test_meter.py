"""meter(): one call, one row, whatever happens in the block; after the call nothing raises."""

from __future__ import annotations

from decimal import Decimal

import pytest

from costtrack.metering.context import attribute
from costtrack.metering.meter import meter
from costtrack.models import ResourceUsage
from tests.factories import make_organization, make_rate
from tests.metering.responses import RESPONSE_ID, ChatStream, chat_chunks, chat_completion

pytestmark = pytest.mark.django_db


def rows() -> list[ResourceUsage]:
    return list(ResourceUsage.objects.order_by("id"))


def test_a_response_becomes_a_priced_row() -> None:
    make_rate()
    with meter("summarize", provider="openai", project="search", metadata={"temperature": 0.2}) as call:
        call.observe(chat_completion())
        call.add_metadata(tools=3)
    [row] = rows()
    assert (row.cost_usd, row.cost_source) == (Decimal("0.0045"), "estimated")
    assert (row.input_tokens, row.output_tokens, row.amount) == (1000, 100, 1100)
    assert (row.endpoint, row.project and row.project.slug, row.model, row.provider) == (
        "summarize", "search", "test-model", "openai",
    )  # fmt: skip
    assert row.idempotency_key == f"openai:{RESPONSE_ID}"
    assert row.metadata == {"temperature": 0.2, "tools": 3, "finish_reason": "stop"}
    assert call.result is not None
    assert (call.result.usage_id, call.result.cost_usd, call.cost_usd) == (row.id, Decimal("0.0045"), Decimal("0.0045"))


def test_the_cost_is_known_inside_the_block() -> None:
    make_rate()
    with meter(provider="openai", model="test-model") as call:
        assert call.cost_usd is None
        call.set_usage(input_tokens=1_000_000, output_tokens=0)
        assert call.cost_usd == Decimal(3)
        assert call.result is None


def test_an_id_that_local_servers_repeat_is_no_key() -> None:
    for _ in range(2):
        with meter(provider="openai") as call:
            call.observe(chat_completion(response_id="chatcmpl-123"))
        with meter() as call:
            call.observe(chat_completion())
    assert len(rows()) == 4


def test_two_captures_of_one_response_are_one_charge() -> None:
    make_rate()
    with meter("inner", provider="openai") as inner:
        inner.observe(chat_completion())
    with meter("outer", provider="openai") as outer:
        outer.observe(chat_completion(output_tokens=0))
    [row] = rows()
    assert outer.result is not None
    assert (outer.result.status, outer.result.usage_id, outer.cost_usd) == ("duplicate", row.id, Decimal("0.0045"))


def test_a_successful_call_without_usage_is_kept_unpriced() -> None:
    make_rate()
    with meter("chat", provider="openai", model="test-model") as call:
        pass
    [row] = rows()
    assert (row.usage_missing, row.cost_usd, row.cost_source, row.unpriced_calls) == (True, None, "unpriced", 1)
    assert call.cost_usd is None


class RateLimited(Exception):
    """As an SDK raises it."""


def test_an_exception_is_recorded_and_raised_on_unchanged() -> None:
    make_rate()
    error = RateLimited("429\n" + "x" * 600)
    with pytest.raises(RateLimited) as raised, meter("chat", provider="openai", model="test-model"):
        raise error
    assert raised.value is error
    [row] = rows()
    assert (row.outcome, row.errors, row.calls, row.cost_usd) == ("error", 1, 1, Decimal(0))
    assert row.error_type == "tests.metering.test_meter.RateLimited"
    assert row.error_message == "429 " + "x" * 496
    assert (row.usage_missing, row.input_tokens, row.amount) == (False, 0, 0)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), GeneratorExit(), SystemExit(1)])
def test_a_call_that_was_cut_off_is_an_error_of_unknown_cost(error: BaseException) -> None:
    make_rate()
    with pytest.raises(type(error)), meter(provider="openai", model="test-model"):
        raise error
    [row] = rows()
    assert (row.outcome, row.error_type, row.usage_missing, row.cost_usd) == ("error", type(error).__name__, True, None)


def test_an_error_after_the_response_keeps_what_was_used() -> None:
    make_rate()

    def ask() -> None:
        with meter(provider="openai") as call:
            call.observe(chat_completion())
            raise RateLimited

    with pytest.raises(RateLimited):
        ask()
    [row] = rows()
    assert (row.outcome, row.cost_usd) == ("error", Decimal("0.0045"))


def test_an_api_call_is_billed_only_if_it_succeeds() -> None:
    make_rate("pubmed", "pubmed", per_million=("0", "0"), resource_type="api_call", unit_price_usd=Decimal("0.01"))
    with meter(provider="pubmed", model="pubmed", resource_type="api_call"):
        pass
    with meter(provider="pubmed", model="pubmed", resource_type="api_call") as call:
        call.set_error("503")
    with meter(provider="pubmed", model="pubmed", resource_type="api_call", amount=5):
        pass
    assert [(row.amount, row.errors, row.cost_usd) for row in rows()] == [
        (1, 0, Decimal("0.01")),
        (0, 1, Decimal(0)),
        (5, 0, Decimal("0.05")),
    ]


def test_a_gpu_job_says_its_seconds_when_it_knows_them() -> None:
    make_rate("a100", "runpod", per_million=("0", "0"), resource_type="gpu_seconds", unit_price_usd=Decimal("0.0005"))
    with meter("train", provider="runpod", model="a100", resource_type="gpu_seconds") as call:
        call.amount = 90
    with meter("train", provider="runpod", model="a100", resource_type="gpu_seconds"):
        pass
    first, second = rows()
    assert (first.amount, first.cost_usd) == (90, Decimal("0.045"))
    assert (second.usage_missing, second.cost_usd) == (True, None)


def test_every_response_of_a_tool_loop_is_a_row_of_its_own() -> None:
    make_rate()
    with meter("agent", provider="openai", idempotency_key="job-7") as call:
        first = chat_completion(1000, 100, response_id="chatcmpl-1111111111111111")
        call.observe(first)
        call.observe(first)
        call.observe(chat_completion(2000, 0, response_id="chatcmpl-2222222222222222"))
    one, two = sorted(rows(), key=lambda row: row.idempotency_key)
    # 0.0045, and 2000 x 3 per million.
    assert (one.cost_usd, two.cost_usd, call.cost_usd) == (Decimal("0.0045"), Decimal("0.006"), Decimal("0.0105"))
    assert (one.idempotency_key, two.idempotency_key) == ("job-7", "job-7#2")
    assert [result.usage_id for result in call.results] == [one.id, two.id]


def test_one_response_without_an_id_is_one_call_however_often_it_is_observed() -> None:
    answer = {"model": "test-model", "usage": {"prompt_tokens": 1, "completion_tokens": 2}}
    with meter("agent") as call:
        call.observe(answer)
        call.observe(answer)
        call.observe(dict(answer))
    assert [(row.input_tokens, row.output_tokens) for row in rows()] == [(1, 2), (1, 2)]


def test_what_the_caller_says_wins_over_what_was_found() -> None:
    make_rate()
    with meter(provider="openai") as call:
        call.observe(chat_completion())
        call.set_usage(output_tokens=0)
    with meter(provider="openai") as reported:
        reported.observe(chat_completion(response_id="chatcmpl-3333333333333333"))
        reported.set_usage(cost_usd="0.5")
    assert [(row.output_tokens, row.cost_usd, row.cost_source) for row in rows()] == [
        (0, Decimal("0.003"), "estimated"),
        (100, Decimal("0.5"), "reported"),
    ]


def test_the_scope_at_the_beginning_of_the_block_counts() -> None:
    make_organization("acme")
    with attribute(organization="acme", thread_id="t-1", tags={"a": "1"}):
        metered = meter("chat", model="m", agent="writer", entity=("job", 7))
        with metered as call, attribute(thread_id="t-2"):
            call.set_usage(input_tokens=1)
    [row] = rows()
    assert (row.organization.slug, row.thread_id, row.agent and row.agent.slug) == ("acme", "t-1", "writer")
    assert (row.entity_type, row.entity_id, row.tags) == ("job", "7", {"a": "1"})


def test_a_stream_is_watched_as_it_passes() -> None:
    make_rate()
    with meter("chat", provider="openai") as call:
        stream = call.observe_stream(ChatStream(chat_chunks()))
        assert isinstance(stream, ChatStream)
        assert stream.response == "the http response"
        assert list(stream) == chat_chunks()
    [row] = rows()
    assert (row.cost_usd, row.is_estimated, row.metadata) == (Decimal("0.0045"), False, {"finish_reason": "stop"})
    assert row.idempotency_key == f"openai:{RESPONSE_ID}"


def test_a_stream_left_early_costs_what_arrived_of_it() -> None:
    make_rate()
    with meter("chat", provider="openai") as call:
        for _ in call.observe_stream(ChatStream(chat_chunks())):
            break
    [row] = rows()
    # "Hel" is one token of 4 characters: 15 per million.
    assert (row.outcome, row.is_estimated, row.cost_usd) == ("success", True, Decimal("0.000015"))
    assert row.metadata["stream"] == "ended early"
