"""The hook of the SDK and an instrumentation's spans on one call: one charge, whichever of them was there first."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from decimal import Decimal
from typing import Any

import openai
import pytest
from asgiref.sync import async_to_sync

from costtrack.integrations.openai import instrument
from costtrack.integrations.otel import CostTrackSpanProcessor
from costtrack.models import ResourceUsage
from tests.factories import make_organization, make_rate
from tests.integrations.otel.tracing import ALL, HELLO, OFFICIAL, OPENINFERENCE, OPENLLMETRY, traced
from tests.integrations.wire.answers import event_stream, json_answer
from tests.integrations.wire.openai_bodies import (
    CHAT_ID,
    chat_chunks,
    chat_completion,
    chat_usage,
    response,
    response_events,
    responses_usage,
)
from tests.integrations.wire.server import Wire

pytestmark = pytest.mark.django_db(transaction=True)

CACHED = chat_usage(1000, 100, cached_tokens=400)
WITH_CACHE = Decimal("0.00342")
"""600 x 3 + 400 x 0.3 + 100 x 15 = 3,420 per million."""
STREAMED: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
NAMES = pytest.mark.parametrize("names", [(OFFICIAL,), (OPENLLMETRY,), (OPENINFERENCE,), ALL, ALL[::-1]], ids="+".join)
ORDER = pytest.mark.parametrize("is_hook_first", [True, False], ids=["hook first", "spans first"])


@pytest.fixture(autouse=True)
def priced(transactional_db: None) -> None:
    """USD per million: 3 input, 0.3 read from the cache, 15 output."""
    make_rate("gpt-test", cache_read_usd_per_million=Decimal("0.3"))
    make_organization("default")


def traced_and_hooked(client: Any, names: tuple[str, ...], call: Callable[[], Any], *, is_hook_first: bool) -> None:
    """The call of a client that both watch."""
    processor = CostTrackSpanProcessor()
    with ExitStack() as stack:
        if is_hook_first:
            instrument(client, provider="openai")
        stack.enter_context(traced(*names, to=[processor]))
        if not is_hook_first:
            instrument(client, provider="openai")
        call()
    assert not processor._traces, "spans still wait"


def facts() -> tuple[Any, ...]:
    row = ResourceUsage.objects.get()
    return (row.idempotency_key, row.cost_usd, row.input_tokens, row.cache_read_tokens, row.output_tokens)


ONCE = (f"openai:{CHAT_ID}", WITH_CACHE, 1000, 400, 100)


@NAMES
@ORDER
@pytest.mark.parametrize("how", [{}, STREAMED], ids=["whole", "stream"])
def test_a_call_is_charged_once(wire: Wire, names: tuple[str, ...], is_hook_first: bool, how: dict[str, Any]) -> None:
    wire.gives(event_stream(chat_chunks("Hel", "lo!", usage=CACHED)) if how else json_answer(chat_completion(CACHED)))
    with openai.OpenAI(api_key="k", base_url=f"{wire.url}/v1", max_retries=0) as client:

        def call() -> None:
            answered = client.chat.completions.create(model="gpt-test", messages=HELLO, **how)
            if how:
                assert sum(1 for _ in answered) > 2

        traced_and_hooked(client, names, call, is_hook_first=is_hook_first)
    assert facts() == ONCE


@NAMES
@ORDER
@pytest.mark.parametrize("how", [{}, STREAMED], ids=["whole", "stream"])
def test_an_async_call_is_charged_once(
    wire: Wire, names: tuple[str, ...], is_hook_first: bool, how: dict[str, Any]
) -> None:
    wire.gives(event_stream(chat_chunks("Hel", "lo!", usage=CACHED)) if how else json_answer(chat_completion(CACHED)))
    client = openai.AsyncOpenAI(api_key="k", base_url=f"{wire.url}/v1", max_retries=0)

    async def asked() -> None:
        async with client:
            answered: Any = await client.chat.completions.create(model="gpt-test", messages=HELLO, **how)
            if how:
                async for _ in answered:
                    pass

    traced_and_hooked(client, names, async_to_sync(asked), is_hook_first=is_hook_first)
    assert facts() == ONCE


@pytest.mark.parametrize("names", [(OPENLLMETRY,), (OPENINFERENCE,), ALL], ids="+".join)
@ORDER
@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "stream"])
def test_a_response_is_charged_once(wire: Wire, names: tuple[str, ...], is_hook_first: bool, is_stream: bool) -> None:
    usage = responses_usage(1000, 100, cached_tokens=400)
    whole = json_answer(response(usage))
    wire.gives(event_stream(response_events("Hel", "lo!", usage=usage), is_named=True) if is_stream else whole)
    with openai.OpenAI(api_key="k", base_url=f"{wire.url}/v1", max_retries=0) as client:

        def call() -> None:
            answered: Any = client.responses.create(model="gpt-test", input="Hello!", stream=is_stream)
            if is_stream:
                assert sum(1 for _ in answered) > 2

        traced_and_hooked(client, names, call, is_hook_first=is_hook_first)
    row = ResourceUsage.objects.get()
    assert (row.cost_usd, row.cache_read_tokens) == (WITH_CACHE, 400)
