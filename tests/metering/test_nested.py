"""Metered calls inside metered calls: one response is one charge, the inner's; two responses are two."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from weakref import ref

import pytest

from costtrack.domain.events import UsageEvent
from costtrack.metering.decorator import track_api_call
from costtrack.metering.meter import meter
from costtrack.testing import capture_usage
from tests.metering.responses import chat_completion

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_stream_left")]


class Response:
    """An SDK's object without an id."""

    def __init__(self, input_tokens: int = 1000, **more: Any) -> None:
        self.model = "test-model"
        self.usage = {"prompt_tokens": input_tokens, "completion_tokens": 100}
        vars(self).update(more)


def without_id(input_tokens: int = 1000) -> dict[str, Any]:
    """A body without an id: an embedding, an answer of Ollama."""
    return {"model": "test-model", "usage": {"prompt_tokens": input_tokens, "completion_tokens": 100}}


def counted(events: Iterable[UsageEvent]) -> list[tuple[str, int]]:
    """Who charges, and the input tokens."""
    return [(event.attribution.endpoint, event.tokens.input_tokens) for event in events]


@track_api_call("inner")
def inner(response: Any) -> Any:
    return response


@track_api_call("inner")
async def inner_async(response: Any) -> Any:
    await asyncio.sleep(0)
    return response


def outer_of(work: Callable[[], Any]) -> list[tuple[str, int]]:
    """What is charged when a tracked function does this work and returns what it gives."""
    with capture_usage() as log:
        track_api_call("outer")(work)()
    return counted(log)


BODIES = [chat_completion(), without_id(), Response(), Response(id="chatcmpl-123")]
ONE = [("inner", 1000)]


@pytest.mark.parametrize("body", BODIES)
def test_a_function_that_returns_the_response_of_another_one_adds_no_row(body: Any) -> None:
    assert outer_of(lambda: inner(body)) == ONE
    assert outer_of(lambda: track_api_call("middle")(inner)(body)) == ONE


@pytest.mark.parametrize("body", BODIES)
def test_a_coroutine_function_that_does_neither(body: Any) -> None:
    @track_api_call("outer")
    async def outer() -> Any:
        first, _ = await asyncio.gather(inner_async(body), asyncio.to_thread(inner, Response(5)))
        return first

    with capture_usage() as log:
        asyncio.run(outer())
    assert sorted(counted(log)) == [("inner", 5), ("inner", 1000)]


def test_a_response_in_another_object_with_its_id_is_the_same() -> None:
    assert outer_of(lambda: Response(9, id=inner(chat_completion())["id"])) == ONE
    assert outer_of(lambda: dict(inner(chat_completion(response_id="chatcmpl-123")))) == ONE


def test_a_short_id_with_other_counts_is_of_a_server_that_repeats_its_ids() -> None:
    def work() -> Any:
        inner(chat_completion(response_id="chatcmpl-123"))
        return chat_completion(2000, response_id="chatcmpl-123")

    assert outer_of(work) == [("inner", 1000), ("outer", 2000)]


@pytest.mark.parametrize(
    "bodies",
    [
        (without_id(), without_id()),
        (Response(), Response()),
        (chat_completion(response_id="chatcmpl-1111111111111111"), chat_completion()),
    ],
)
def test_a_function_that_makes_a_call_of_its_own_after_an_inner_one_is_a_second_row(bodies: tuple[Any, Any]) -> None:
    def work() -> Any:
        inner(bodies[0])
        return bodies[1]

    assert outer_of(work) == [("inner", 1000), ("outer", 1000)]


def test_any_of_many_inner_responses_may_be_returned() -> None:
    def best(make: Callable[[int], Any]) -> Any:
        return [inner(make(number)) for number in range(100)][7]

    assert len(outer_of(lambda: best(Response))) == 100
    assert (
        len(outer_of(lambda: best(lambda number: chat_completion(number, response_id=f"a-long-id-{number:010}"))))
        == 100
    )


def test_a_response_that_a_block_inside_observes_is_charged_there() -> None:
    def work() -> Any:
        with meter("inner", provider="ollama") as call:
            response = chat_completion()
            call.observe(response)
        return response

    async def work_async() -> Any:
        async with meter("inner", provider="ollama") as call:
            response = without_id()
            call.observe(response)
        return response

    assert outer_of(work) == ONE
    with capture_usage() as log:
        asyncio.run(track_api_call("outer")(work_async)())
    assert counted(log) == ONE


def test_a_block_that_observes_the_response_of_a_tracked_function_adds_no_row() -> None:
    with capture_usage() as log, meter("outer") as call:
        call.observe(inner(without_id()))
        call.set_usage(input_tokens=7)
    assert counted(log) == ONE
    assert (call.results, call.result) == ((), None)


def test_a_block_charges_its_own_responses_and_says_nothing_of_them_that_was_said_of_another() -> None:
    with capture_usage() as log, meter("outer") as call:
        call.observe(Response(1))
        call.observe(inner(Response(2)))
        call.observe(Response(3))
        call.observe(inner(Response(4)))
        call.set_usage(output_tokens=0)
    assert counted(log) == [("inner", 2), ("inner", 4), ("outer", 1), ("outer", 3)]
    assert {event.tokens.output_tokens for event in log} == {100}


@pytest.mark.parametrize("outer_first", [True, False])
def test_two_blocks_that_observe_one_response_are_one_charge(outer_first: bool) -> None:
    response = without_id()
    with capture_usage() as log, meter("outer") as outer:
        with meter("inner") as call:
            if outer_first:
                outer.observe(response)
            call.observe(response)
        outer.observe(response)
    assert counted(log) == ONE


def test_blocks_one_after_the_other_are_calls_of_their_own() -> None:
    with capture_usage() as log:
        for _ in range(2):
            with meter("chat") as call:
                call.observe(without_id())
    assert counted(log) == [("chat", 1000), ("chat", 1000)]


def test_what_one_thread_meters_is_not_inside_the_function_of_another() -> None:
    barrier = threading.Barrier(4)
    shared = without_id()

    def work(number: int) -> None:
        @track_api_call(f"outer-{number}")
        def outer() -> Any:
            barrier.wait(10)
            if number:
                inner(shared)
            barrier.wait(10)
            return shared

        outer()

    with capture_usage() as log, ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert sorted(event.attribution.endpoint for event in log) == ["inner", "inner", "inner", "outer-0"]


def test_a_call_after_the_function_is_not_inside_it_and_no_response_is_kept_alive() -> None:
    @track_api_call("outer")
    def outer() -> Any:
        kept = ref(inner(Response()))
        gc.collect()
        assert kept() is None
        return inner(Response())

    with capture_usage() as log:
        response = outer()
        inner(response)
        gone = ref(response)
        del response
        gc.collect()
        assert gone() is None
    assert [endpoint for endpoint, _ in counted(log)] == ["inner", "inner", "inner"]
