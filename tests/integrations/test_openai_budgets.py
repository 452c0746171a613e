"""Budgets and the OpenAI SDK: the worst case is held before the call, or the call never reaches the wire."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import openai
import pytest
from asgiref.sync import async_to_sync

from costtrack.budgets.changes import change_budget
from costtrack.exceptions import BudgetExceeded, UnknownWorstCase
from costtrack.integrations.openai import instrument
from costtrack.models import Budget, Hold, ResourceUsage
from tests.factories import make_organization, make_rate
from tests.integrations.wire.answers import event_stream, json_answer
from tests.integrations.wire.openai_bodies import (
    CHAT_ID,
    chat_chunks,
    chat_completion,
    chat_usage,
    embeddings,
    error,
    response,
)
from tests.integrations.wire.server import Wire
from tests.metering.budgeted import make_budget, spent_and_held, states

pytestmark = pytest.mark.django_db

TEXT: list[Any] = [{"role": "user", "content": "x" * 4000}]
"""1000 tokens by their characters; USD 3 per million of input, 15 of output."""
MODEL: dict[str, Any] = {"model": "gpt-test", "messages": TEXT}


@pytest.fixture
def budget() -> Budget:
    """One dollar."""
    make_rate("gpt-test")
    return make_budget(make_organization())


@pytest.fixture
def client(wire: Wire, budget: Budget) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="test", base_url=f"{wire.url}/v1", max_retries=3) as client:
        yield instrument(client, provider="openai", organization="acme")


def limit_to(budget: Budget, limit: str) -> None:
    change_budget(budget, limit=Decimal(limit))


def noted(budget: Budget, held: list[Decimal], client: openai.OpenAI) -> None:
    """Note what is held when the SDK sends a request."""

    def on_request(request: Any) -> None:
        held.append(spent_and_held(budget)[1])

    client._client.event_hooks = {"request": [on_request]}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"max_completion_tokens": 1000}, "0.018"),  # 1000 x 3 + 1000 x 15 = 18,000 per million
        ({"max_tokens": 10}, "0.00315"),  # 1000 x 3 + 10 x 15 = 3,150
        ({"max_tokens": 10, "n": 3}, "0.00345"),  # 1000 x 3 + 30 x 15 = 3,450
        ({"max_tokens": 10, "service_tier": "priority"}, "0.0063"),  # 1000 x 6 + 10 x 30 = 6,300
        ({"max_tokens": 9, "extra_body": {"max_tokens": 10}}, "0.00315"),  # as it goes on the wire
    ],
)
def test_the_worst_case_is_held_while_the_call_is_made(
    asked: dict[str, Any], expected: str, wire: Wire, client: openai.OpenAI, budget: Budget
) -> None:
    make_rate("gpt-test", per_million=("6", "30"), service_tier="priority")
    held: list[Decimal] = []
    noted(budget, held, client)
    wire.gives(json_answer(chat_completion()))
    client.chat.completions.create(**MODEL, **asked)
    assert held == [Decimal(expected)]
    assert (spent_and_held(budget), states()) == ((Decimal("0.0045"), 0), ["settled"])


def test_of_an_embedding_only_input_is_held(wire: Wire, client: openai.OpenAI, budget: Budget) -> None:
    make_rate("embed-test", per_million=("2", "99"))
    held: list[Decimal] = []
    noted(budget, held, client)
    wire.gives(*[json_answer(embeddings(5))] * 3)
    for given in ("x" * 4000, [1, 2, 3, 4, 5], [[1, 2], [3, 4, 5]]):
        client.embeddings.create(model="embed-test", input=given)
    assert held == [Decimal("0.002"), Decimal("0.00001"), Decimal("0.00001")]  # 1000 x 2; 5 x 2


def test_a_refused_call_never_reaches_the_wire_and_is_not_tried_again(
    wire: Wire, client: openai.OpenAI, budget: Budget
) -> None:
    limit_to(budget, "0.0179")
    asks = (
        lambda: client.chat.completions.create(**MODEL, max_tokens=1000),
        lambda: client.chat.completions.create(**MODEL, max_tokens=1000, stream=True),
        lambda: client.chat.completions.with_raw_response.create(**MODEL, max_tokens=1000),
        lambda: client.with_options(timeout=5).chat.completions.create(**MODEL, max_tokens=1000),
        lambda: client.chat.completions.stream(**MODEL, max_tokens=1000).__enter__(),
        lambda: client.responses.create(model="gpt-test", input=TEXT, max_output_tokens=1000),
    )
    for ask in asks:
        with pytest.raises(BudgetExceeded):
            ask()
    assert (wire.requests, ResourceUsage.objects.count(), Hold.objects.count()) == ([], 0, 0)


def test_a_refused_call_of_an_async_client_never_reaches_the_wire(wire: Wire, budget: Budget) -> None:
    limit_to(budget, "0.0179")

    async def ask() -> None:
        async with openai.AsyncOpenAI(api_key="test", base_url=wire.url) as client:
            instrument(client, provider="openai", organization="acme")
            await client.chat.completions.create(**MODEL, max_tokens=1000)

    with pytest.raises(BudgetExceeded):
        async_to_sync(ask)()
    assert (wire.requests, ResourceUsage.objects.count(), Hold.objects.count()) == ([], 0, 0)


def test_a_call_without_a_most_of_output_is_refused_by_a_hard_budget(wire: Wire, client: openai.OpenAI) -> None:
    with pytest.raises(UnknownWorstCase, match="max_output_tokens"):
        client.chat.completions.create(**MODEL)
    assert wire.requests == []


def test_a_call_that_fails_gives_back_what_it_held(wire: Wire, client: openai.OpenAI, budget: Budget) -> None:
    wire.gives(json_answer(error(), 400))
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(**MODEL, max_tokens=1000)
    assert spent_and_held(budget) == (0, 0)


def test_a_stream_holds_until_its_end(wire: Wire, client: openai.OpenAI, budget: Budget) -> None:
    wire.gives(event_stream(chat_chunks("Hello!", usage=chat_usage())))
    stream = client.chat.completions.create(**MODEL, max_tokens=1000, stream=True)
    next(stream)
    assert spent_and_held(budget) == (0, Decimal("0.018"))
    list(stream)
    assert spent_and_held(budget) == (Decimal("0.0045"), 0)


def test_the_last_dollar_is_taken_once_by_raw_and_other_calls(
    wire: Wire, client: openai.OpenAI, budget: Budget
) -> None:
    limit_to(budget, "0.0225")  # 0.0045 + 0.018
    wire.gives(*(json_answer(chat_completion(response_id=f"{CHAT_ID}{n}")) for n in range(9)), json_answer(response()))
    client.chat.completions.with_raw_response.create(**MODEL, max_tokens=1000)
    client.chat.completions.create(**MODEL, max_tokens=1000)
    with pytest.raises(BudgetExceeded):
        client.chat.completions.create(**MODEL, max_tokens=1000)
    assert (len(wire.requests), spent_and_held(budget)) == (2, (Decimal("0.009"), 0))
