"""Cut off: tasks cancelled once and twice, clients that disconnect. Each call is one row, with what it used so far."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, StreamingHttpResponse
from django.urls import path

from costtrack.metering.decorator import track_api_call
from costtrack.metering.meter import meter
from costtrack.testing import UsageLog, capture_usage
from tests.metering.responses import AsyncChatStream, chat_chunks

pytestmark = pytest.mark.usefixtures("no_stream_left")

CHUNKS = chat_chunks(with_usage=False)[:2]
"""Hel, lo. = 6 characters, 2 tokens."""
MESSAGES = [{"role": "user", "content": "Say hello!"}]
"""10 characters, 3 tokens."""
CANCELLED = ("error", "asyncio.exceptions.CancelledError", 3, 2, True)
LEFT = ("success", "", 3, 2, True)


class Stalling(AsyncChatStream):
    """A stream that waits for ever after two chunks."""

    async def __anext__(self) -> dict[str, Any]:
        try:
            return await super().__anext__()
        except StopAsyncIteration:
            await asyncio.sleep(60)
            raise


@track_api_call("chat", provider="openai", model="test-model")
async def generated(messages: Any) -> AsyncIterator[dict[str, Any]]:
    async for chunk in Stalling(CHUNKS):
        yield chunk


@track_api_call("chat", provider="openai", model="test-model")
async def closing_slowly(messages: Any) -> AsyncIterator[dict[str, Any]]:
    try:
        async for chunk in Stalling(CHUNKS):
            yield chunk
    finally:
        await asyncio.sleep(60)


@track_api_call("chat", provider="openai", model="test-model")
def returned(messages: Any) -> Any:
    return Stalling(CHUNKS)


async def observed(messages: Any) -> AsyncIterator[dict[str, Any]]:
    async with meter("chat", provider="openai", model="test-model") as call:
        call.set_input(messages)
        async for chunk in call.observe_stream(Stalling(CHUNKS)):
            yield chunk


STREAMS = pytest.mark.parametrize("stream", [generated, closing_slowly, returned, observed])


def rows(log: UsageLog) -> list[tuple[str, str, int, int, bool]]:
    assert not any(event.usage_missing for event in log)
    return [
        (str(one.outcome), one.error_type, one.tokens.input_tokens, one.tokens.output_tokens, one.is_estimated)
        for one in log
    ]


async def started(coroutine: Any) -> asyncio.Task[Any]:
    """A task that has read both chunks and waits for the third."""
    task = asyncio.create_task(coroutine)
    for _ in range(10):
        await asyncio.sleep(0)
    return task


async def read(stream: Any) -> None:
    async for _ in stream:
        pass


async def cancelled(task: asyncio.Task[Any], *, times: int = 1, turns: int = 0) -> None:
    """The task after it was cancelled so many times, with so many turns of the loop between them."""
    for number in range(times):
        if number:
            for _ in range(turns):
                await asyncio.sleep(0)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def recorded(log: UsageLog) -> None:
    """After the first event has come, and time for a second one that must not."""
    for _ in range(500):
        if len(log):
            break
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)


@STREAMS
@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5])
def test_a_stream_whose_reader_is_cancelled_until_it_gives_in_is_one_row(stream: Any, turns: int) -> None:
    """Again after so many turns of the loop, so that a cancellation hits every step of the recording."""

    async def main() -> None:
        task = await started(read(stream(MESSAGES)))
        while not task.done():
            task.cancel()
            for _ in range(1 + turns):
                await asyncio.sleep(0)
        assert task.cancelled()
        await recorded(log)

    with capture_usage() as log:
        asyncio.run(main())
    assert rows(log) == [CANCELLED]


@pytest.mark.parametrize("stream", [generated, returned, observed])
def test_a_stream_whose_reader_is_cancelled_is_recorded_when_the_cancellation_is_through(stream: Any) -> None:
    async def main() -> None:
        await cancelled(await started(read(stream(MESSAGES))))
        assert rows(log) == [CANCELLED]

    with capture_usage() as log:
        asyncio.run(main())
    assert len(log) == 1


@pytest.mark.parametrize("turns", [None, 0, 1, 2, 3])
def test_a_call_cancelled_before_any_answer_costs_its_input(turns: int | None) -> None:
    @track_api_call("chat", provider="openai", model="test-model")
    async def ask(messages: Any) -> None:
        await asyncio.sleep(60)

    async def in_a_block() -> None:
        async with meter("chat", provider="openai", model="test-model") as call:
            call.set_input(MESSAGES)
            await asyncio.sleep(60)

    async def main(coroutine: Any) -> None:
        await cancelled(await started(coroutine), times=1 if turns is None else 2, turns=turns or 0)
        await recorded(log)

    for begin in (lambda: ask(MESSAGES), in_a_block):
        with capture_usage() as log:
            asyncio.run(main(begin()))  # type: ignore[operator]
        assert rows(log) == [("error", "asyncio.exceptions.CancelledError", 3, 0, True)]
        assert log[0].metadata == {"estimated": "input from 10 characters"}


def test_of_a_call_cut_off_with_an_unknown_input_the_usage_is_missing() -> None:
    @track_api_call("chat")
    async def ask() -> None:
        await asyncio.sleep(60)

    async def main() -> None:
        await cancelled(await started(ask()))

    with capture_usage() as log:
        asyncio.run(main())
    assert [(event.usage_missing, event.is_estimated) for event in log] == [(True, False)]


def test_a_stream_that_times_out_is_one_row() -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await read(generated(MESSAGES))
        await recorded(log)

    with capture_usage() as log:
        asyncio.run(main())
    assert rows(log) == [CANCELLED]


async def relayed(stream: Any) -> AsyncIterator[str]:
    async for chunk in stream:
        yield chunk["choices"][0]["delta"]["content"]


async def answer(request: HttpRequest, kind: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(
        relayed({"generated": generated, "returned": returned, "observed": observed}[kind](MESSAGES))
    )


urlpatterns = [path("<str:kind>", answer)]


async def served(kind: str, *, blocks_in_send: bool) -> list[bytes]:
    """What a client gets that disconnects after two pieces, while the server waits for the model or for the client."""
    gone = asyncio.Event()
    requests = iter([{"type": "http.request", "body": b"", "more_body": False}])
    pieces: list[bytes] = []

    async def receive() -> dict[str, Any]:
        try:
            return next(requests)
        except StopIteration:
            await gone.wait()
            return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            pieces.append(message["body"])
        if len(pieces) == 2:
            gone.set()
            if blocks_in_send:
                await asyncio.sleep(60)

    scope = {"type": "http", "method": "GET", "path": f"/{kind}", "headers": [], "query_string": b""}
    handler: Callable[..., Any] = ASGIHandler()
    await handler(scope, receive, send)
    return pieces


@pytest.mark.parametrize("middleware", [[], ["costtrack.middleware.CostTrackMiddleware"]])
@pytest.mark.parametrize("blocks_in_send", [False, True])
@pytest.mark.parametrize("kind", ["generated", "returned", "observed"])
@pytest.mark.django_db
def test_a_client_that_disconnects_in_the_middle_of_a_stream_leaves_one_row(
    kind: str, *, blocks_in_send: bool, middleware: list[str], settings: Any
) -> None:
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = middleware

    async def main() -> None:
        assert await served(kind, blocks_in_send=blocks_in_send) == [b"Hel", b"lo."]
        if blocks_in_send:
            gc.collect()  # the handler's frame and its tasks are a cycle, which holds the response
        await recorded(log)

    with capture_usage() as log:
        asyncio.run(main())
    # In send, the model's stream is not cancelled, only read no further; its block is left by the closing.
    left = ("error", "GeneratorExit", 3, 2, True) if kind == "observed" else LEFT
    assert rows(log) == [left if blocks_in_send else CANCELLED]
