"""AsyncOpenAI against the wire: awaited calls, async streams and their helpers, cancelled calls."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import openai
import pytest
from asgiref.sync import async_to_sync

from costtrack.integrations.openai import instrument, uninstrument
from costtrack.models import ResourceUsage
from tests.factories import make_organization, make_rate
from tests.integrations.wire.answers import event_stream, json_answer
from tests.integrations.wire.openai_bodies import (
    CHAT_ID,
    chat_chunks,
    chat_completion,
    chat_usage,
    error,
    response,
    response_events,
    responses_usage,
)
from tests.integrations.wire.server import Wire

pytestmark = pytest.mark.django_db

ASKED: dict[str, Any] = {"model": "gpt-test", "messages": [{"role": "user", "content": "y" * 40}]}
Run = Callable[[Callable[[openai.AsyncOpenAI], Awaitable[None]]], None]


@pytest.fixture
def run(wire: Wire) -> Run:
    """Runs a coroutine function with an instrumented client; USD 3 per million of input, 15 of output."""
    make_organization("default")
    make_rate("gpt-test")

    def run(main: Callable[[openai.AsyncOpenAI], Awaitable[None]]) -> None:
        async def with_client() -> None:
            async with openai.AsyncOpenAI(api_key="test", base_url=wire.url, max_retries=0) as client:
                await main(instrument(client, provider="openai"))

        async_to_sync(with_client)()

    return run


def only_row() -> ResourceUsage:
    return ResourceUsage.objects.get()


def test_an_awaited_call_is_one_row(wire: Wire, run: Run) -> None:
    async def main(client: openai.AsyncOpenAI) -> None:
        answer = await client.chat.completions.create(**ASKED)
        assert answer.id == CHAT_ID

    wire.gives(json_answer(chat_completion()))
    run(main)
    assert (only_row().cost_usd, only_row().idempotency_key) == (Decimal("0.0045"), f"openai:{CHAT_ID}")


def test_an_async_stream_is_charged_by_its_usage_chunk(wire: Wire, run: Run) -> None:
    async def main(client: openai.AsyncOpenAI) -> None:
        stream = await client.chat.completions.create(**ASKED, stream=True)
        assert isinstance(stream, openai.AsyncStream)
        assert len([chunk async for chunk in stream]) == 4

    wire.gives(event_stream(chat_chunks("Hello!", usage=chat_usage())))
    run(main)
    assert (only_row().cost_usd, only_row().metadata) == (Decimal("0.0045"), {"finish_reason": "stop"})


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_the_async_helpers_for_streams_are_metered(api: str, wire: Wire, run: Run) -> None:
    async def main(client: openai.AsyncOpenAI) -> None:
        if api == "chat":
            async with client.chat.completions.stream(**ASKED) as chat:
                assert (await chat.get_final_completion()).id == CHAT_ID
        else:
            async with client.responses.stream(model="gpt-test", input="Hello!") as stream:
                assert (await stream.get_final_response()).status == "completed"

    if api == "chat":
        wire.gives(event_stream(chat_chunks("Hello!", usage=chat_usage())))
    else:
        wire.gives(event_stream(response_events("Hello!", usage=responses_usage()), is_named=True))
    run(main)
    assert (only_row().cost_usd, only_row().is_estimated) == (Decimal("0.0045"), False)


@pytest.mark.parametrize("leaving", ["close", "with", "response", "helper"])
def test_an_async_stream_that_is_left_early_is_recorded_at_once(leaving: str, wire: Wire, run: Run) -> None:
    async def main(client: openai.AsyncOpenAI) -> None:
        if leaving == "helper":
            async with client.chat.completions.stream(**ASKED) as helper:
                async for event in helper:
                    if event.type == "content.delta" and event.delta:
                        break
        else:
            stream = await client.chat.completions.create(**ASKED, stream=True)
            await anext(stream), await anext(stream)
            if leaving == "with":
                async with stream:
                    pass
            elif leaving == "close":
                await stream.close()
            else:
                await stream.response.aclose()
        assert await ResourceUsage.objects.acount() == 1

    wire.gives(event_stream(chat_chunks("x" * 400, "x" * 400, is_finished=False), between_seconds=0.01))
    run(main)
    row = only_row()
    # 40 characters sent are 10 tokens, 400 that came are 100: 10 x 3 + 100 x 15 = 1,530 per million
    assert (row.cost_usd, row.is_estimated, row.metadata["stream"]) == (Decimal("0.00153"), True, "ended early")


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize("way", ["raw", "streaming", "lines"])
def test_raw_responses_of_an_async_client_are_metered(is_stream: bool, way: str, wire: Wire, run: Run) -> None:
    async def main(client: openai.AsyncOpenAI) -> None:
        chats: Any = client.chat.completions
        asked = {**ASKED, "stream": is_stream}
        if way == "raw":
            parsed = (await chats.with_raw_response.create(**asked)).parse()
            assert [chunk.id async for chunk in parsed] == [CHAT_ID] * 4 if is_stream else parsed.id == CHAT_ID
            return
        async with chats.with_streaming_response.create(**asked) as streaming:
            if way == "lines":
                assert CHAT_ID in "".join([line async for line in streaming.iter_lines()])
            elif is_stream:
                assert len([chunk async for chunk in await streaming.parse()]) == 4
            else:
                assert (await streaming.parse()).id == CHAT_ID

    wire.gives(event_stream(chat_chunks("Hello!", usage=chat_usage())) if is_stream else json_answer(chat_completion()))
    run(main)
    assert (only_row().cost_usd, only_row().is_estimated) == (Decimal("0.0045"), False)


def test_a_call_that_is_cancelled_is_estimated_by_its_input(wire: Wire, run: Run) -> None:
    async def main(client: openai.AsyncOpenAI) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.chat.completions.create(**ASKED), 0.05)

    wire.gives(json_answer(chat_completion(), after_seconds=0.3))
    run(main)
    row = only_row()
    # The provider has worked: 10 tokens of input x 3 = 30 per million, and the output is not known
    assert (row.cost_usd, row.is_estimated, row.error_type) == (
        Decimal("0.00003"),
        True,
        "asyncio.exceptions.CancelledError",
    )


def test_a_failed_call_is_recorded_as_failed(wire: Wire, run: Run) -> None:
    async def main(client: openai.AsyncOpenAI) -> None:
        with pytest.raises(openai.RateLimitError):
            await client.chat.completions.create(**ASKED)

    wire.gives(json_answer(error(), 429))
    run(main)
    assert (only_row().outcome, only_row().cost_usd) == ("error", 0)


def test_an_async_response_made_in_the_background_is_charged_when_it_is_fetched(wire: Wire, run: Run) -> None:
    async def main(client: openai.AsyncOpenAI) -> None:
        begun = await client.responses.create(model="gpt-test", input="Hello!", background=True)
        assert not await ResourceUsage.objects.aexists()
        await client.responses.retrieve(begun.id)

    queued = {**response(status="queued"), "background": True, "usage": None}
    wire.gives(json_answer(queued), json_answer({**response(), "background": True}))
    run(main)
    assert only_row().cost_usd == Decimal("0.0045")


def test_lists_and_an_uninstrumented_async_client_are_not_touched(wire: Wire, run: Run) -> None:
    async def main(client: openai.AsyncOpenAI) -> None:
        assert [model.id async for model in client.models.list()] == ["gpt-test"]
        await uninstrument(client).chat.completions.create(**ASKED)

    models = {"object": "list", "data": [{"id": "gpt-test", "object": "model", "created": 1, "owned_by": "openai"}]}
    wire.gives(json_answer(models), json_answer(chat_completion()))
    run(main)
    assert not ResourceUsage.objects.exists()
