"""Streams that are not of one kind: readable either way, as LiteLLM's, or wrapped by an instrumentation already."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from costtrack.metering.decorator import track_api_call
from costtrack.metering.meter import meter
from costtrack.testing import capture_usage

pytestmark = pytest.mark.django_db

PIECES: list[dict[str, Any]] = [
    {"model": "test-model", "choices": [{"delta": {"content": "Hi"}}]},
    {"model": "test-model", "choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 1}},
]


class Either:
    """May be read in a loop or out of one."""

    def __init__(self) -> None:
        self._pieces = iter(PIECES)
        self.closed: list[str] = []

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return next(self._pieces)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        try:
            return next(self._pieces)
        except StopIteration:
            raise StopAsyncIteration from None

    def close(self) -> None:
        self.closed.append("close")

    async def aclose(self) -> None:
        self.closed.append("aclose")


class Wrapped:
    """As `wrapt.ObjectProxy` does, it says that it is what it wraps."""

    def __init__(self, stream: Either) -> None:
        self._wrapped = stream

    @property
    def __class__(self) -> Any:
        return Either

    def __next__(self) -> Any:
        return next(self._wrapped)

    def __iter__(self) -> Iterator[Any]:
        return self


def test_a_stream_of_both_kinds_may_be_read_out_of_a_loop() -> None:
    with capture_usage() as log, meter("chat") as call:
        stream = call.observe_stream(Either())
        assert list(stream) == PIECES
    assert [event.tokens.input_tokens for event in log] == [10]


def test_a_stream_of_both_kinds_may_be_read_in_a_loop() -> None:
    @track_api_call("chat")
    def made() -> Either:
        return Either()

    async def read() -> list[Any]:
        return [piece async for piece in made()]

    with capture_usage() as log:
        assert asyncio.run(read()) == PIECES
    assert [event.tokens.input_tokens for event in log] == [10]


def test_it_is_closed_the_way_its_reader_asks_for() -> None:
    with capture_usage(), meter("chat") as call:
        first, second = Either(), Either()
        with call.observe_stream(first):  # type: ignore[attr-defined] # which the wrapper adds
            pass
        call.observe_stream(second).close()
        asyncio.run(call.observe_stream(third := Either()).aclose())
    assert (first.closed, second.closed, third.closed) == (["close"], ["close"], ["aclose"])


def test_a_stream_that_is_wrapped_already_says_still_what_it_is() -> None:
    with capture_usage(), meter("chat") as call:
        stream: Any = call.observe_stream(Wrapped(Either()))
        assert isinstance(stream, Either)
        assert list(stream) == PIECES
