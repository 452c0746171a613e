"""Calls of LiteLLM's SDK inside `meter(...)` and tracked functions: the callback charges them, the block does not."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from typing import Any

import litellm
import pytest

from costtrack.metering.context import attribute
from costtrack.metering.decorator import track_api_call
from costtrack.metering.meter import meter
from costtrack.models import Organization, ResourceUsage
from tests.factories import make_rate
from tests.integrations.litellm.bodies import chat, chat_stream
from tests.integrations.litellm.sdk import FULL, IGNORED, STREAMED, Watcher, ask, ask_async, in_a_loop, rows
from tests.integrations.wire.answers import Answer, event_stream, json_answer
from tests.integrations.wire.openai_bodies import response, response_events, responses_usage
from tests.integrations.wire.server import Wire
from tests.metering.budgeted import make_budget, spent_and_held, states

pytestmark = [pytest.mark.django_db(transaction=True), *map(pytest.mark.filterwarnings, IGNORED)]


def only_row(watcher: Watcher) -> ResourceUsage:
    """The ledger's only one, under LiteLLM's id."""
    [row] = rows(watcher)
    assert row.idempotency_key == f"litellm:{watcher.told[0]['litellm_call_id']}"
    return row


def test_a_whole_answer_is_charged_once_and_belongs_to_the_block(wire: Wire, watcher: Watcher) -> None:
    make_rate()
    wire.gives(chat())
    with attribute(thread_id="t-1"), meter("summarize", provider="openai", project="search") as call:
        call.observe(ask(wire))
    row = only_row(watcher)
    assert row.project is not None
    assert (row.cost_usd, row.endpoint, row.project.slug, row.thread_id) == (FULL, "summarize", "search", "t-1")


def observed_stream(call: Any, stream: Any) -> None:
    for _ in call.observe_stream(stream):
        pass


def observed_pieces(call: Any, stream: Any) -> None:
    for piece in stream:
        call.observe(piece)


def observed_when_all_had_come(call: Any, stream: Any) -> None:
    observed_stream(call, iter(list(stream)))


@pytest.mark.parametrize("read", [observed_stream, observed_pieces, observed_when_all_had_come])
@pytest.mark.parametrize("told", [STREAMED, {"stream": True}], ids=["usage", "no usage"])
def test_a_stream_inside_meter_is_charged_once(
    wire: Wire, watcher: Watcher, read: Callable[[Any, Any], None], told: dict[str, Any]
) -> None:
    make_rate()
    wire.gives(chat_stream())
    with meter("summarize", provider="openai") as call:
        read(call, ask(wire, **told))
    row = only_row(watcher)
    assert (row.cost_usd, row.endpoint) == (FULL, "summarize")


@pytest.mark.parametrize("is_whole", [True, False])
def test_an_async_stream_inside_meter_is_charged_once(wire: Wire, watcher: Watcher, is_whole: bool) -> None:
    make_rate()
    wire.gives(chat_stream())

    async def streamed() -> None:
        async with meter("summarize", provider="openai") as call:
            stream = await ask_async(wire, **STREAMED)
            if is_whole:
                async for _ in call.observe_stream(stream):
                    pass
            else:
                async for piece in stream:
                    call.observe(piece)

    in_a_loop(streamed)
    row = only_row(watcher)
    assert (row.cost_usd, row.endpoint) == (FULL, "summarize")


def test_a_stream_that_was_made_before_the_block_is_charged_once(wire: Wire, watcher: Watcher) -> None:
    make_rate()
    wire.gives(chat_stream())
    stream = ask(wire, **STREAMED)
    with meter("summarize", provider="openai") as call:
        for _ in call.observe_stream(stream):
            pass
    assert only_row(watcher).cost_usd == FULL


def test_a_tracked_function_that_returns_or_yields_a_stream_charges_it_once(wire: Wire, watcher: Watcher) -> None:
    make_rate()
    wire.gives(chat_stream(), chat_stream())

    @track_api_call("returns", provider="openai")
    def returns() -> Any:
        return ask(wire, **STREAMED)

    @track_api_call("yields", provider="openai")
    def yields() -> Iterator[Any]:
        yield from ask(wire, **STREAMED)

    assert len(list(returns())) == len(list(yields()))
    charged = [(row.endpoint, row.cost_usd) for row in rows(watcher, told=2)]
    assert sorted(charged) == [("returns", FULL), ("yields", FULL)]


def test_an_async_generator_that_is_tracked_charges_a_stream_once(wire: Wire, watcher: Watcher) -> None:
    make_rate()
    wire.gives(chat_stream())

    @track_api_call("yields", provider="openai")
    async def yields() -> AsyncIterator[Any]:
        async for piece in await ask_async(wire, **STREAMED):
            yield piece

    async def run() -> None:
        async for _ in yields():
            pass

    in_a_loop(run)
    row = only_row(watcher)
    assert (row.endpoint, row.cost_usd) == ("yields", FULL)


def test_three_streams_of_one_block_are_three_charges(wire: Wire, watcher: Watcher) -> None:
    make_rate()
    wire.gives(*(chat_stream() for _ in range(3)))
    with meter("loop", provider="openai") as call:
        for _ in range(3):
            observed_stream(call, ask(wire, **STREAMED))
    assert [row.cost_usd for row in rows(watcher, told=3)] == [FULL] * 3


def test_a_stream_of_another_client_in_the_block_is_charged_by_the_block(wire: Wire, watcher: Watcher) -> None:
    make_rate()
    wire.gives(chat_stream())
    other = {"id": "chatcmpl-of-another-client", "model": "test-model", "choices": [{"delta": {"content": "Hi"}}]}
    usage = {"prompt_tokens": 10, "completion_tokens": 1}
    with meter("both", provider="openai") as call:
        observed_stream(call, ask(wire, **STREAMED))
        observed_stream(call, iter([other, {**other, "choices": [], "usage": usage}]))
    costs = sorted(row.cost_usd for row in rows(watcher))
    assert costs == [Decimal("0.000045"), FULL]  # 10 x 3 + 1 x 15 = 45 per million


def test_two_blocks_around_one_another_charge_a_stream_once(wire: Wire, watcher: Watcher) -> None:
    make_rate()
    wire.gives(chat_stream())
    with meter("outer", provider="openai") as outer, meter("inner", provider="openai") as inner:
        for piece in outer.observe_stream(inner.observe_stream(ask(wire, **STREAMED))):
            assert piece is not None
    row = only_row(watcher)
    assert (row.cost_usd, row.endpoint) == (FULL, "inner")


def test_without_the_callback_the_block_charges(wire: Wire, watcher: Watcher) -> None:
    litellm.callbacks = [watcher]
    make_rate()
    wire.gives(chat_stream(), chat())
    with meter("stream", provider="openai") as call:
        observed_stream(call, ask(wire, **STREAMED))
    with meter("whole", provider="openai") as call:
        call.observe(ask(wire))
    charged = sorted((row.endpoint, row.cost_usd) for row in rows(watcher, told=2))
    assert charged == [("stream", FULL), ("whole", FULL)]


class Late(litellm.integrations.custom_logger.CustomLogger):
    """A callback that keeps those after it waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.may_go_on = threading.Event()

    def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        self.may_go_on.wait(5)


@pytest.mark.parametrize("answer", [chat(), chat_stream()], ids=["whole", "stream"])
def test_what_the_block_holds_stays_held_until_the_callback_books(wire: Wire, watcher: Watcher, answer: Answer) -> None:
    late = Late()
    litellm.callbacks.insert(0, late)
    make_rate()
    budget = make_budget(Organization.objects.get_or_create(slug="default")[0], "0.05")
    wire.gives(answer)
    with meter("chat", provider="openai", model="test-model", input_tokens=1000, max_output_tokens=1000) as call:
        if answer.is_stream:
            observed_stream(call, ask(wire, **STREAMED))
        else:
            call.observe(ask(wire))
    # 1000 x 3 + 1000 x 15 = 18,000 per million
    assert spent_and_held(budget) == (Decimal(0), Decimal("0.018"))
    late.may_go_on.set()
    assert only_row(watcher).cost_usd == FULL
    assert spent_and_held(budget) == (FULL, Decimal(0))
    assert states() == ["settled"]


def test_what_the_block_holds_is_given_back_where_the_callback_has_booked(wire: Wire, watcher: Watcher) -> None:
    make_rate()
    budget = make_budget(Organization.objects.get_or_create(slug="default")[0], "0.05")
    wire.gives(chat())
    with meter("chat", provider="openai", model="test-model", input_tokens=1000, max_output_tokens=1000) as call:
        call.observe(ask(wire))
        assert only_row(watcher).cost_usd == FULL
    assert spent_and_held(budget) == (FULL, Decimal(0))
    assert states() == ["released"]


def test_a_response_of_the_responses_api_inside_meter_is_charged_once(wire: Wire, watcher: Watcher) -> None:
    usage = responses_usage(1000, 100)
    wire.gives(json_answer(response(usage)), event_stream(response_events("Hel", "lo!", usage=usage), is_named=True))
    # a model that LiteLLM knows: it streams no other one
    where: dict[str, Any] = {"model": "openai/gpt-4o", "api_base": f"{wire.url}/v1", "api_key": "k"}
    with meter("whole", provider="openai") as call:
        call.observe(litellm.responses(input="Hello", **where))
    with meter("stream", provider="openai") as call:
        observed_stream(call, litellm.responses(input="Hello", stream=True, **where))
    charged = sorted((row.endpoint, row.cost_usd, row.cost_source) for row in rows(watcher, told=2))
    # 1000 x 2.5 + 100 x 10 = 3,500 per million
    assert charged == [(endpoint, Decimal("0.0035"), "reported") for endpoint in ("stream", "whole")]
