"""@track_api_call: what a call may use is found among the function's arguments, held, and settled at its end."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from costtrack.budgets.changes import change_budget
from costtrack.exceptions import BudgetExceeded, UnknownWorstCase
from costtrack.metering.database_thread import wait_for_later
from costtrack.metering.decorator import track_api_call
from costtrack.models import Budget, Hold, ResourceUsage
from tests.factories import make_organization, make_rate
from tests.metering.budgeted import make_budget, spent_and_held, states
from tests.metering.responses import ChatStream, chat_chunks, chat_completion

pytestmark = pytest.mark.django_db

TRACK: dict[str, Any] = {"organization": "acme", "provider": "openai", "model": "test-model"}
TEXT = "x" * 4000
"""1000 tokens by their characters."""


@pytest.fixture
def budget() -> Budget:
    """One dollar; a call of TEXT with at most 1000 tokens holds 1000 x 3 + 1000 x 15 = 18,000 per million: 0.018."""
    make_rate()
    return make_budget(make_organization())


def full(budget: Budget) -> None:
    change_budget(budget, limit=Decimal("0.01"))


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens", "max_output_tokens"])
def test_the_most_output_is_found_under_the_names_of_the_sdks(name: str, budget: Budget) -> None:
    held = []

    @track_api_call(**TRACK)
    def answer(prompt: str, **more: Any) -> Any:
        held.append(spent_and_held(budget)[1])
        return chat_completion()

    answer(TEXT, **{name: 1000})
    assert (held, spent_and_held(budget)) == ([Decimal("0.018")], (Decimal("0.0045"), 0))


def test_a_default_of_the_function_is_an_argument_and_wins_over_the_decorators(budget: Budget) -> None:
    held = []

    @track_api_call(**TRACK, max_output_tokens=10)
    def answer(messages: list[Any], max_tokens: int | None = 1000) -> Any:
        held.append(spent_and_held(budget)[1])
        return chat_completion()

    answer([{"role": "user", "content": TEXT}])
    answer([{"role": "user", "content": TEXT}], max_tokens=None)
    assert held == [Decimal("0.018"), Decimal("0.00315")]  # 1000 x 3 + 10 x 15 = 3,150


def test_what_every_call_reads_beside_its_arguments_is_counted_too(budget: Budget) -> None:
    held = []

    @track_api_call(**TRACK, input="s" * 400, max_output_tokens=0)
    def answer(system: str, prompt: str) -> Any:
        held.append(spent_and_held(budget)[1])
        return chat_completion()

    answer("y" * 40, TEXT)
    assert held == [Decimal("0.00333")]  # (100 + 10 + 1000) x 3


def test_an_argument_of_that_name_that_is_no_number_is_not_looked_at(budget: Budget) -> None:
    @track_api_call(**TRACK)
    def answer(prompt: str, max_tokens: object) -> Any:
        return chat_completion()

    for value in ("1000", -1, 1.5, object()):
        with pytest.raises(UnknownWorstCase):
            answer(TEXT, value)


def test_a_refused_function_does_not_run(budget: Budget) -> None:
    ran = []

    @track_api_call(**TRACK, max_output_tokens=1000)
    def answer(prompt: str) -> Any:
        ran.append(1)

    full(budget)
    with pytest.raises(BudgetExceeded):
        answer(TEXT)
    assert (ran, ResourceUsage.objects.count(), Hold.objects.count()) == ([], 0, 0)


def test_a_refused_coroutine_function_does_not_run(budget: Budget) -> None:
    ran = []

    @track_api_call(**TRACK, max_output_tokens=1000)
    async def answer(prompt: str) -> Any:
        ran.append(1)
        await asyncio.sleep(0)
        return chat_completion()

    async_to_sync(answer)(TEXT)
    assert spent_and_held(budget) == (Decimal("0.0045"), 0)
    full(budget)
    with pytest.raises(BudgetExceeded):
        async_to_sync(answer)(TEXT)
    assert (ran, ResourceUsage.objects.count()) == ([1], 1)


def test_a_function_that_gives_a_coroutine_is_held_until_that_is_done(budget: Budget) -> None:
    async def reply() -> Any:
        return chat_completion()

    @track_api_call(**TRACK, max_output_tokens=1000)
    def answer(prompt: str) -> Any:
        return reply()

    async def main() -> None:
        coroutine = answer(TEXT)
        assert [state async for state in Hold.objects.values_list("state", flat=True)] == ["held"]
        await coroutine

    async_to_sync(main)()
    assert (spent_and_held(budget), states()) == ((Decimal("0.0045"), 0), ["settled"])


@track_api_call(**TRACK, max_output_tokens=1000)
def generated(prompt: str) -> Iterator[Any]:
    yield from chat_chunks()


@track_api_call(**TRACK, max_output_tokens=1000)
def streamed(prompt: str) -> Any:
    return ChatStream(chat_chunks())


@pytest.mark.parametrize("streaming", [generated, streamed])
def test_the_hold_of_a_stream_is_settled_at_its_end(streaming: Callable[[str], Iterator[Any]], budget: Budget) -> None:
    stream = streaming(TEXT)
    next(stream)
    assert spent_and_held(budget) == (0, Decimal("0.018"))
    list(stream)
    assert (spent_and_held(budget), states()) == ((Decimal("0.0045"), 0), ["settled"])


@pytest.mark.parametrize("streaming", [generated, streamed])
def test_a_stream_that_is_closed_early_settles_what_arrived(streaming: Callable[[str], Any], budget: Budget) -> None:
    stream = streaming(TEXT)
    next(stream)
    stream.close()
    row = ResourceUsage.objects.get()
    assert (row.is_estimated, row.input_tokens, row.output_tokens) == (True, 1000, 1)
    assert (spent_and_held(budget), states()) == ((Decimal("0.003015"), 0), ["settled"])  # 1000 x 3 + 1 x 15


def test_a_generator_asks_at_its_first_step(budget: Budget) -> None:
    ran = []

    @track_api_call(**TRACK, max_output_tokens=1000)
    def generator(prompt: str) -> Iterator[Any]:
        ran.append(1)
        yield from chat_chunks()

    full(budget)
    steps = generator(TEXT)
    with pytest.raises(BudgetExceeded):
        next(steps)
    assert list(steps) == []
    del steps
    gc.collect()
    wait_for_later()
    assert (ran, ResourceUsage.objects.count(), Hold.objects.count()) == ([], 0, 0)


def test_a_generator_that_is_never_begun_holds_nothing(budget: Budget) -> None:
    generated(TEXT).close()  # type: ignore[attr-defined]
    assert (Hold.objects.count(), ResourceUsage.objects.count()) == (0, 0)


def test_an_async_generator_is_held_settled_and_refused_likewise(budget: Budget) -> None:
    @track_api_call(**TRACK, max_output_tokens=1000)
    async def generator(prompt: str) -> AsyncIterator[Any]:
        for chunk in chat_chunks():
            yield chunk

    async def main() -> list[str]:
        seen = []
        async for _ in generator(TEXT):
            seen += [state async for state in Hold.objects.values_list("state", flat=True)]
        return seen

    assert set(async_to_sync(main)()) == {"held"}
    assert (spent_and_held(budget), states()) == ((Decimal("0.0045"), 0), ["settled"])
    full(budget)
    with pytest.raises(BudgetExceeded):
        async_to_sync(main)()
    assert ResourceUsage.objects.count() == 1


def test_an_exception_settles_the_hold_with_nothing_used(budget: Budget) -> None:
    @track_api_call(**TRACK, max_output_tokens=1000)
    def answer(prompt: str) -> Any:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        answer(TEXT)
    assert (spent_and_held(budget), states()) == ((0, 0), ["settled"])


def test_an_outer_function_that_adds_no_row_releases_its_hold(budget: Budget) -> None:
    @track_api_call(**TRACK, max_output_tokens=1000)
    def inner(prompt: str) -> Any:
        return chat_completion()

    @track_api_call(**TRACK, max_output_tokens=1000)
    def outer(prompt: str) -> str:
        inner(prompt)
        assert spent_and_held(budget) == (Decimal("0.0045"), Decimal("0.018"))
        return "done"

    outer(TEXT)
    assert (spent_and_held(budget), sorted(states())) == ((Decimal("0.0045"), 0), ["released", "settled"])


def test_a_tool_is_held_by_its_call(budget: Budget) -> None:
    make_rate("*", "pubmed", resource_type="api_call", unit_price_usd=Decimal("0.25"))
    held = []

    @track_api_call(organization="acme", provider="pubmed", resource_type="api_call")
    def search(query: str) -> str:
        held.append(spent_and_held(budget)[1])
        return "found"

    search("x")
    assert (held, spent_and_held(budget)) == ([Decimal("0.25")], (Decimal("0.25"), 0))
