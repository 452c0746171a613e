"""@track_api_call on streams: chunks pass untouched; one row when it ends, breaks or is closed."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from costtrack.metering.context import attribute, current_attribution
from costtrack.metering.decorator import track_api_call
from costtrack.models import ResourceUsage
from costtrack.testing import capture_usage
from tests.factories import make_rate
from tests.metering.responses import AsyncChatStream, ChatStream, chat_chunks

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_stream_left")]

CHUNKS = chat_chunks()


@track_api_call("stream", provider="openai", model="test-model")
def generated(chunks: list[dict[str, Any]], *, fails: bool = False) -> Iterator[dict[str, Any]]:
    yield from chunks
    if fails:
        raise ConnectionError("the stream broke")


@track_api_call("stream", provider="openai", model="test-model")
async def generated_async(chunks: list[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
    for chunk in chunks:
        await asyncio.sleep(0)
        yield chunk


@track_api_call("stream", provider="openai", model="test-model")
def returned(stream: Any) -> Any:
    return stream


@track_api_call("stream", provider="openai", model="test-model")
async def returned_async(stream: Any) -> Any:
    return stream


def row_of_stream() -> tuple[Any, ...]:
    row = ResourceUsage.objects.get()
    assert row.endpoint == "stream"
    assert not row.usage_missing
    return row.outcome, row.is_estimated, row.cost_usd, row.metadata.get("stream", "")


WHOLE = ("success", False, Decimal("0.0045"), "")
# "Hel" is one token of 4 characters, "Hello." two: x 15 per million. Nothing is known of the input.
LEFT_EARLY = ("success", True, Decimal("0.000015"), "ended early")
BROKEN = ("error", True, Decimal("0.00003"), "ended early")


@pytest.fixture(autouse=True)
def _rate() -> None:
    make_rate()


@pytest.mark.parametrize(
    "stream", [lambda: generated(CHUNKS), lambda: returned(ChatStream(CHUNKS)), lambda: returned(c for c in CHUNKS)]
)
def test_a_stream_read_to_its_end_is_priced_by_its_last_chunk(stream: Any) -> None:
    reading = stream()
    assert next(reading) is CHUNKS[0]
    assert not ResourceUsage.objects.exists()
    assert list(reading) == CHUNKS[1:]
    assert row_of_stream() == WHOLE


@pytest.mark.parametrize("stream", [lambda: generated(CHUNKS), lambda: returned(ChatStream(CHUNKS))])
def test_a_stream_closed_early_is_a_success_of_an_estimated_cost(stream: Any) -> None:
    reading = stream()
    next(reading)
    reading.close()
    reading.close()
    assert row_of_stream() == LEFT_EARLY


@pytest.mark.parametrize(
    "stream", [lambda: generated(CHUNKS[:2], fails=True), lambda: returned(ChatStream(CHUNKS, breaks_after=2))]
)
def test_a_stream_that_breaks_is_an_error_of_an_estimated_cost(stream: Any) -> None:
    with pytest.raises(ConnectionError, match="the stream broke"):
        list(stream())
    assert row_of_stream() == BROKEN


def test_a_whole_stream_without_a_usage_chunk_is_estimated() -> None:
    list(returned(ChatStream(chat_chunks(with_usage=False))))
    assert row_of_stream() == ("success", True, Decimal("0.00003"), "")


def test_a_generator_that_is_never_read_made_no_call() -> None:
    generated(CHUNKS).close()  # type: ignore[attr-defined]
    assert not ResourceUsage.objects.exists()


def test_a_returned_stream_keeps_its_attributes_its_class_and_its_with() -> None:
    inner = ChatStream(CHUNKS)
    with returned(inner) as stream:
        assert isinstance(stream, ChatStream)
        assert stream.response == "the http response"
        assert not hasattr(stream, "no_such_attribute")
        for chunk in stream:
            assert chunk is CHUNKS[0]
            break
    assert inner.is_closed
    assert row_of_stream() == LEFT_EARLY


def test_a_dropped_stream_is_recorded_too() -> None:
    with capture_usage() as log:
        stream = returned(ChatStream(CHUNKS))
        next(stream)
        del stream
        gc.collect()
    assert [(event.is_estimated, event.tokens.output_tokens, event.outcome) for event in log] == [(True, 1, "success")]


def test_a_stream_inside_bedrocks_dict_is_watched() -> None:
    class EventStream:
        """As botocore's: iterable, with a close, and no iterator itself."""

        def __iter__(self) -> Iterator[dict[str, Any]]:
            yield {"contentBlockDelta": {"delta": {"text": "Hello."}}}
            yield {"messageStop": {"stopReason": "end_turn"}}
            usage = {"inputTokens": 1000, "outputTokens": 100, "totalTokens": 1100}
            yield {"metadata": {"usage": usage, "metrics": {"latencyMs": 5}}}

        def close(self) -> None: ...

    make_rate("test-model", "aws")

    @track_api_call("bedrock", provider="aws")
    def converse_stream(modelId: str) -> dict[str, Any]:
        return {"ResponseMetadata": {"RequestId": "7d9bfb62-7e3c-4d2a-9a0f-1a2b3c4d5e6f"}, "stream": EventStream()}

    response = converse_stream("test-model")
    assert len(list(response["stream"])) == 3
    row = ResourceUsage.objects.get()
    assert (row.cost_usd, row.idempotency_key) == (Decimal("0.0045"), "aws:7d9bfb62-7e3c-4d2a-9a0f-1a2b3c4d5e6f")


async def read(stream: Any) -> list[Any]:
    return [chunk async for chunk in stream]


async def start(stream: Any) -> Any:
    """A returned stream is awaited, a generator is not."""
    return stream if hasattr(stream, "__anext__") else await stream


@pytest.mark.parametrize("stream", [lambda: generated_async(CHUNKS), lambda: returned_async(AsyncChatStream(CHUNKS))])
def test_async_streams_are_watched_to_their_end(stream: Any) -> None:
    async def main() -> list[Any]:
        return await read(await start(stream()))

    assert async_to_sync(main)() == CHUNKS
    assert row_of_stream() == WHOLE


@pytest.mark.parametrize("stream", [lambda: generated_async(CHUNKS), lambda: returned_async(AsyncChatStream(CHUNKS))])
def test_async_streams_closed_early_are_a_success_of_an_estimated_cost(stream: Any) -> None:
    async def main() -> None:
        reading = await start(stream())
        await anext(reading)
        await reading.aclose()

    async_to_sync(main)()
    assert row_of_stream() == LEFT_EARLY


def test_a_cancelled_async_stream_is_an_error_of_an_estimated_cost() -> None:
    @track_api_call("stream", provider="openai", model="test-model")
    async def endless() -> AsyncIterator[dict[str, Any]]:
        yield CHUNKS[0]
        await asyncio.sleep(60)

    async def main() -> None:
        task = asyncio.create_task(read(endless()))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async_to_sync(main)()
    assert row_of_stream() == ("error", True, Decimal("0.000015"), "ended early")


def test_a_stream_belongs_to_the_scope_in_which_it_was_begun() -> None:
    seen = []

    @track_api_call("stream")
    def steps(conversation_id: str) -> Iterator[int]:
        seen.append(current_attribution().thread_id)
        yield 1

    with capture_usage() as log:
        with attribute(customer="c-9"):
            stream = steps("t-1")
        with attribute(customer="somebody else"):
            assert list(stream) == [1]
            assert current_attribution().thread_id == ""
    assert seen == ["t-1"]
    assert (log[0].attribution.customer, log[0].attribution.thread_id) == ("c-9", "t-1")
