"""Calls that are cut off: cancelled, cancelled again, or left in mid-stream. What they used is spooled once."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import costtrack
from costtrack import meter
from costtrack.aggregation import verify_books
from costtrack.models import ResourceUsage
from tests.factories import make_organization, make_rate

pytestmark = pytest.mark.django_db(transaction=True)
CALL: dict[str, Any] = {"provider": "openai", "model": "test-model", "organization": "acme"}


@pytest.fixture(autouse=True)
def acme(spool_dir: Path) -> None:
    make_rate()
    make_organization()


def test_a_task_that_is_cancelled_twice_records_what_it_used_once() -> None:
    async def call(begun: asyncio.Event) -> None:
        async with meter("chat", idempotency_key="twice", **CALL) as call:
            call.set_usage(input_tokens=1000, output_tokens=100)
            begun.set()
            try:
                await asyncio.sleep(60)
            finally:
                await asyncio.sleep(60)  # a provider's clean-up, cut off by the second cancellation

    async def scene() -> None:
        begun = asyncio.Event()
        task = asyncio.ensure_future(call(begun))
        await begun.wait()
        for _ in range(2):
            task.cancel()
            await asyncio.sleep(0.01)
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scene())
    assert costtrack.flush(20)
    row = ResourceUsage.objects.get()
    assert (row.idempotency_key, row.outcome, row.input_tokens) == ("twice", "error", 1000)
    assert verify_books() == []


async def chunks() -> AsyncIterator[dict[str, Any]]:
    """A stream of OpenAI's chat completions whose last chunk, the one with the usage, never comes."""
    for number in range(1000):
        yield {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "model": "test-model",
            "choices": [{"index": 0, "delta": {"content": f"word{number} "}, "finish_reason": None}],
        }
        await asyncio.sleep(0)


@pytest.mark.parametrize("way", ["the client leaves", "the task is cancelled", "the loop ends"])
def test_a_stream_that_breaks_off_is_recorded_once_as_an_estimate(way: str) -> None:
    async def consume(seen: asyncio.Event) -> None:
        async with meter("chat", **CALL) as call:
            call.set_input("What is the answer to all this?")
            count = 0
            async for _ in call.observe_stream(chunks()):
                count += 1
                if count == 10:
                    seen.set()
                    if way == "the client leaves":
                        return
                    await asyncio.sleep(60)

    async def scene() -> None:
        seen = asyncio.Event()
        task = asyncio.ensure_future(consume(seen))
        await seen.wait()
        if way == "the task is cancelled":
            task.cancel()
            task.cancel()
        if way != "the loop ends":
            with suppress(asyncio.CancelledError):
                await task

    asyncio.run(scene())
    gc.collect()
    assert costtrack.flush(20)
    row = ResourceUsage.objects.get()
    assert row.is_estimated
    assert not row.usage_missing
    assert row.output_tokens > 0
    assert row.metadata["stream"] == "ended early"
    assert verify_books() == []


def test_a_hundred_cancelled_calls_at_once_are_a_hundred_rows() -> None:
    async def call(number: int) -> None:
        async with meter("chat", idempotency_key=f"k-{number}", **CALL) as call:
            call.set_usage(input_tokens=1000, output_tokens=100)
            await asyncio.sleep(60)

    async def scene() -> None:
        tasks = [asyncio.ensure_future(call(number)) for number in range(100)]
        await asyncio.sleep(0.05)
        for task in tasks:
            task.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(scene())
    assert costtrack.flush(20)
    assert ResourceUsage.objects.count() == 100
    assert verify_books() == []
