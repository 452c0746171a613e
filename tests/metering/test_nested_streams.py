"""Streams through several metered functions: the chunks of one stream are one charge, the innermost's."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any

import pytest

from costtrack.domain.events import UsageEvent
from costtrack.metering.context import attribute, current_attribution
from costtrack.metering.decorator import track_api_call
from costtrack.metering.meter import meter
from costtrack.testing import capture_usage
from tests.metering.responses import AsyncChatStream, ChatStream, chat_chunks, chat_completion

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_stream_left")]

OPENAI = chat_chunks()
OLLAMA: list[dict[str, Any]] = [
    {"model": "test-model", "message": {"role": "assistant", "content": "Hello."}, "done": False},
    {"model": "test-model", "done": True, "prompt_eval_count": 1000, "eval_count": 100},
]
"""No id anywhere."""
ANTHROPIC: list[dict[str, Any]] = [
    {
        "type": "message_start",
        "message": {"id": "msg_01XFDUDYJgAACzvnptvVoYEL", "usage": {"input_tokens": 1000, "output_tokens": 1}},
    },
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 100}},
    {"type": "message_stop"},
]
CHUNKS = pytest.mark.parametrize("chunks", [OPENAI, OLLAMA, ANTHROPIC])


def charged(events: Iterable[UsageEvent]) -> list[tuple[str, int, bool]]:
    return [(event.attribution.endpoint, event.tokens.input_tokens, event.usage_missing) for event in events]


ONE = [("inner", 1000, False)]


@track_api_call("inner")
def generated(chunks: list[Any]) -> Iterator[Any]:
    yield from chunks


@track_api_call("inner")
def returned(chunks: list[Any]) -> Any:
    return ChatStream(chunks)


@track_api_call("inner")
async def generated_async(chunks: list[Any]) -> AsyncIterator[Any]:
    for chunk in chunks:
        yield chunk


@track_api_call("inner")
async def returned_async(chunks: list[Any]) -> Any:
    return AsyncChatStream(chunks)


def delegated(stream: Any) -> Iterator[Any]:
    yield from stream


def framed(stream: Any) -> Iterator[Any]:
    yield {"done": False}
    yield from stream
    yield {"done": True}


def buffered(stream: Any) -> Iterator[Any]:
    yield from list(stream)


def picked(stream: Any) -> Iterator[Any]:
    yield next(chunk for chunk in stream if "prompt_eval_count" in chunk or chunk.get("usage") or "message" in chunk)


def handed_on(stream: Any) -> Any:
    return stream


def last(stream: Any) -> Any:
    return list(stream)[-1]


@CHUNKS
@pytest.mark.parametrize("inner", [generated, returned])
@pytest.mark.parametrize("outer", [delegated, framed, buffered, picked, handed_on, last])
def test_a_function_that_hands_on_the_chunks_of_a_tracked_stream_adds_no_row(
    outer: Any, inner: Any, chunks: list[Any]
) -> None:
    @track_api_call("outer")
    def wrapped() -> Any:
        return outer(inner(chunks))

    @track_api_call("outer")
    def wrapped_generator() -> Iterator[Any]:
        yield from outer(inner(chunks))

    for function in (wrapped, wrapped_generator):
        with capture_usage() as log:
            result = function()
            if outer is not last or function is wrapped_generator:
                list(result)
            gc.collect()
        assert [row for row in charged(log) if row[0] == "outer"] == []
        if outer is not picked:
            assert charged(log) == ONE


@CHUNKS
def test_a_tracked_generator_that_is_given_to_another_is_charged_once(chunks: list[Any]) -> None:
    with capture_usage() as log:
        list(track_api_call("outer")(delegated)(generated(chunks)))
    assert charged(log) == ONE


async def delegated_async(stream: Any) -> AsyncIterator[Any]:
    async for chunk in stream:
        yield chunk


@CHUNKS
@pytest.mark.parametrize("inner", [generated_async, returned_async])
def test_async_streams_too(inner: Callable[[Any], Any], chunks: list[Any]) -> None:
    @track_api_call("outer")
    async def outer() -> AsyncIterator[Any]:
        stream = inner(chunks)
        async for chunk in delegated_async(stream if hasattr(stream, "__anext__") else await stream):
            yield chunk

    async def main(*, leaves_early: bool) -> None:
        reading = outer()
        async for _ in reading:
            if leaves_early:
                break
        await reading.aclose()  # type: ignore[attr-defined]

    with capture_usage() as log:
        asyncio.run(main(leaves_early=False))
    assert charged(log) == ONE
    with capture_usage() as log:
        asyncio.run(main(leaves_early=True))
        gc.collect()
    assert {endpoint for endpoint, *_ in charged(log)} <= {"inner"}


def test_a_stream_left_early_is_the_inner_functions_only() -> None:
    for inner in (generated, returned):
        with capture_usage() as log:
            stream = track_api_call("outer")(handed_on)(inner(OPENAI))
            reading = track_api_call("outermost")(delegated)(stream)
            next(reading)
            reading.close()  # type: ignore[attr-defined]
        assert charged(log) == [("inner", 0, False)]
        assert (log[0].is_estimated, log[0].tokens.output_tokens) == (True, 1)


def test_a_function_that_yields_the_responses_of_others_adds_no_row() -> None:
    @track_api_call("inner")
    def ask(number: int) -> dict[str, Any]:
        return {"model": "test-model", "usage": {"prompt_tokens": number, "completion_tokens": 0}}

    @track_api_call("outer")
    def outer() -> Iterator[Any]:
        yield ask(1)
        yield ask(2)

    with capture_usage() as log:
        list(outer())
    assert charged(log) == [("inner", 1, False), ("inner", 2, False)]


def test_a_stream_of_its_own_after_an_inner_one_is_a_second_row() -> None:
    own = [*OLLAMA[:1], {**OLLAMA[1], "prompt_eval_count": 7}]

    @track_api_call("outer")
    def outer() -> Iterator[Any]:
        yield from generated(OLLAMA)
        yield from own

    with capture_usage() as log:
        list(outer())
    assert charged(log) == [*ONE, ("outer", 7, False)]


@CHUNKS
@pytest.mark.parametrize("inner", [generated, returned])
def test_a_block_that_watches_a_tracked_stream_adds_no_row(inner: Any, chunks: list[Any]) -> None:
    with capture_usage() as log, meter("outer") as call:
        list(call.observe_stream(inner(chunks)))
    assert charged(log) == ONE


@CHUNKS
def test_a_stream_that_a_block_inside_watches_is_charged_there(chunks: list[Any]) -> None:
    @track_api_call("outer")
    def outer() -> Iterator[Any]:
        with meter("inner") as call:
            yield from call.observe_stream(iter(chunks))

    with capture_usage() as log:
        list(outer())
    assert charged(log) == ONE
    with capture_usage() as log, meter("outer") as first, meter("inner") as second:
        list(second.observe_stream(first.observe_stream(ChatStream(chunks))))
    assert charged(log) == ONE


def test_a_stream_inside_bedrocks_dict_is_charged_once() -> None:
    usage = {"inputTokens": 1000, "outputTokens": 100, "totalTokens": 1100}

    class EventStream:
        def __iter__(self) -> Iterator[dict[str, Any]]:
            yield {"contentBlockDelta": {"delta": {"text": "Hello."}}}
            yield {"metadata": {"usage": usage, "metrics": {"latencyMs": 5}}}

    @track_api_call("inner")
    def converse() -> dict[str, Any]:
        return {"stream": EventStream()}

    with capture_usage() as log:
        assert len(list(track_api_call("outer")(converse)()["stream"])) == 2
    assert charged(log) == ONE


def test_a_block_that_a_suspended_generator_holds_open_neither_hides_a_row_nor_a_scope() -> None:
    def steps() -> Iterator[Any]:
        with meter("generator") as call:
            response = chat_completion()
            call.observe(response)
            yield response
            yield None

    generator = steps()
    with capture_usage() as log:
        track_api_call("outer")(lambda: next(generator))()
        with attribute(customer="c-1"):
            next(generator)
            list(generator)
            assert current_attribution().customer == "c-1"
        track_api_call("after")(chat_completion)()
    assert [endpoint for endpoint, *_ in charged(log)] == ["generator", "after"]
