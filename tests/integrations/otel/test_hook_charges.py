"""Calls that have no id of their own, or no answer: the hook of the SDK charges them, and no span beside it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context, copy_context
from decimal import Decimal
from typing import Any

import openai
import pytest
from asgiref.sync import async_to_sync

from costtrack.integrations.charging import tell_spans
from costtrack.integrations.openai import instrument
from costtrack.integrations.otel import CostTrackSpanProcessor
from costtrack.models import ResourceUsage
from tests.integrations.otel.tracing import (
    ALL,
    HELLO,
    OFFICIAL,
    OPENINFERENCE,
    OPENLLMETRY,
    PROVIDER,
    ask,
    embed,
    traced,
)
from tests.integrations.wire.answers import event_stream, json_answer
from tests.integrations.wire.openai_bodies import chat_chunks, chat_completion, embeddings, error, response_events
from tests.integrations.wire.server import Wire

NAMES = pytest.mark.parametrize("names", [(OFFICIAL,), (OPENLLMETRY,), (OPENINFERENCE,), ALL, ALL[::-1]], ids="+".join)
ORDER = pytest.mark.parametrize("is_hook_first", [True, False], ids=["hook first", "spans first"])


@contextmanager
def both(client: Any, names: tuple[str, ...], *, is_hook_first: bool = False) -> Iterator[None]:
    """The client is hooked, and traced by these; what waits is booked at the end."""
    processor = CostTrackSpanProcessor()
    if is_hook_first:
        instrument(client, provider="openai")
    with traced(*names, to=[processor]):
        if not is_hook_first:
            instrument(client, provider="openai")
        yield
    gc.collect()
    processor.force_flush()


def figures() -> list[tuple[str, str, Decimal | None, bool]]:
    return list(ResourceUsage.objects.values_list("outcome", "model", "cost_usd", "is_estimated"))


@NAMES
@ORDER
def test_an_embedding_is_charged_once(
    wire: Wire, client: openai.OpenAI, names: tuple[str, ...], is_hook_first: bool
) -> None:
    wire.gives(json_answer(embeddings(1000)))
    with both(client, names, is_hook_first=is_hook_first):
        embed(client)
    assert figures() == [("success", "embed-test", Decimal("0.001"), False)]


@NAMES
@pytest.mark.django_db(transaction=True)
def test_an_async_embedding_is_charged_once(wire: Wire, client: openai.OpenAI, names: tuple[str, ...]) -> None:
    async def main() -> None:
        async with openai.AsyncOpenAI(api_key="k", base_url=f"{wire.url}/v1", max_retries=0) as client:
            with both(client, names):
                await client.embeddings.create(model="embed-test", input="Hello!")

    wire.gives(json_answer(embeddings(1000)))
    async_to_sync(main)()
    assert figures() == [("success", "embed-test", Decimal("0.001"), False)]


@NAMES
@ORDER
def test_a_failed_call_is_one_row(
    wire: Wire, client: openai.OpenAI, names: tuple[str, ...], is_hook_first: bool
) -> None:
    wire.gives(json_answer(error(), 429))
    with both(client, names, is_hook_first=is_hook_first), pytest.raises(openai.RateLimitError):
        ask(client)
    assert figures() == [("error", "gpt-test", Decimal(0), False)]


@NAMES
def test_a_stream_that_is_left_is_charged_by_what_came(
    wire: Wire, client: openai.OpenAI, names: tuple[str, ...]
) -> None:
    wire.gives(event_stream(chat_chunks("x" * 400, is_finished=False)))
    with both(client, names):
        stream = ask(client, stream=True)
        next(stream), next(stream)
        stream.close()
        del stream
    # 6 characters sent are 2 tokens, 400 that came are 100: 2 x 3 + 100 x 15 = 1,506 per million
    assert figures() == [("success", "gpt-test-2026-08-07", Decimal("0.001506"), True)]


@pytest.mark.parametrize("names", [(OFFICIAL,), (OPENINFERENCE,)], ids="+".join)
def test_a_stream_of_responses_that_is_left_is_one_row(
    wire: Wire, client: openai.OpenAI, names: tuple[str, ...]
) -> None:
    wire.gives(event_stream(response_events("x" * 400, is_finished=False), is_named=True))
    with both(client, names):
        stream: Any = client.responses.create(model="gpt-test", input="Hello!", stream=True)
        for event in stream:
            if event.type == "response.output_text.delta":
                break
        stream.close()
        del stream
    assert figures() == [("success", "gpt-test", Decimal("0.001506"), True)]


@NAMES
def test_a_long_conversation_whose_span_has_lost_the_id_is_charged_once(
    wire: Wire, client: openai.OpenAI, names: tuple[str, ...]
) -> None:
    wire.gives(json_answer(chat_completion()))
    with both(client, names):
        client.chat.completions.create(model="gpt-test", messages=HELLO * 150)
    assert [cost for _, _, cost, _ in figures()] == [Decimal("0.0045")]


def test_a_span_of_another_model_around_a_hooked_call_is_a_call_of_its_own(wire: Wire, client: openai.OpenAI) -> None:
    processor = CostTrackSpanProcessor()
    wire.gives(json_answer(embeddings(1000)))
    with traced(to=[processor]):
        tracer = PROVIDER.get_tracer("app")
        told = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-test", "gen_ai.provider.name": "openai"}
        with tracer.start_as_current_span("chat gpt-test", attributes=told) as span:
            embed(instrument(client, provider="openai"))  # by a tool that the model asked for
            span.set_attributes({"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 100})
    assert sorted(cost for _, _, cost, _ in figures() if cost is not None) == [Decimal("0.001"), Decimal("0.0045")]


def test_a_span_with_an_answer_of_its_own_around_a_hooked_call_of_its_model_is_a_call(
    wire: Wire, client: openai.OpenAI
) -> None:
    processor = CostTrackSpanProcessor()
    wire.gives(json_answer(chat_completion()))
    told = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-test",
        "gen_ai.provider.name": "openai",
        "gen_ai.response.id": "chatcmpl-another-answer-0000000",
    }
    around = PROVIDER.get_tracer("app").start_as_current_span("chat gpt-test", attributes=told)
    with traced(to=[processor]), around as span:
        ask(instrument(client, provider="openai"))
        span.set_attributes({"gen_ai.usage.input_tokens": 2000, "gen_ai.usage.output_tokens": 200})
    assert sorted(cost for _, _, cost, _ in figures() if cost is not None) == [Decimal("0.0045"), Decimal("0.009")]


def test_a_span_that_begins_when_the_call_is_over_is_none_of_it(wire: Wire, client: openai.OpenAI) -> None:
    processor = CostTrackSpanProcessor()
    wire.gives(json_answer(chat_completion()))
    inherited: list[Context] = []
    told = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-test", "gen_ai.provider.name": "openai"}
    usage = {"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 100}

    def later() -> None:
        with PROVIDER.get_tracer("app").start_as_current_span("chat gpt-test", attributes={**told, **usage}):
            pass

    client._client.event_hooks["request"].append(lambda _: inherited.append(copy_context()))
    with traced(to=[processor]):
        ask(instrument(client, provider="openai"))
        inherited[0].run(later)  # as a task that a hook of the HTTP client has begun
    assert len(figures()) == 2


def test_what_a_long_span_is_told_does_not_grow(wire: Wire) -> None:
    processor = CostTrackSpanProcessor()
    with traced(to=[processor]), PROVIDER.get_tracer("app").start_as_current_span("job") as span:
        for _ in range(100):
            tell_spans("gpt-test", "")
        trace = processor._traces[span.get_span_context().trace_id]
        assert [one.charged for one in trace.running.values()] == [{"gpt-test"}]
