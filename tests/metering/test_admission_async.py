"""Admission in coroutines: the loop goes on meanwhile, and a task that is cancelled keeps nothing held."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from costtrack.budgets import admission
from costtrack.budgets.changes import change_budget
from costtrack.budgets.known import KnownBudgets
from costtrack.exceptions import BudgetExceeded
from costtrack.metering import holding, spool
from costtrack.metering.attribution import GivenAttribution, Lazy
from costtrack.metering.context import AttributionScope
from costtrack.metering.decorator import track_api_call
from costtrack.metering.meter import meter
from costtrack.metering.reserve import reserve
from costtrack.models import Budget, Hold, Organization, ResourceUsage
from tests.factories import make_organization, make_rate
from tests.metering.budgeted import make_budget, spent_and_held, states

pytestmark = pytest.mark.django_db(transaction=True)

CALL: dict[str, Any] = {
    "organization": "acme",
    "provider": "openai",
    "model": "test-model",
    "input_tokens": 1000,
    "max_output_tokens": 1000,
}
"""Holds 0.018 USD."""


@pytest.fixture(params=["spool", "inline"])
def budget(request: pytest.FixtureRequest, settings: Any) -> Budget:
    """Of a dollar, in each of the two transports."""
    settings.COSTTRACK = {"TRANSPORT": request.param}
    make_rate()
    return make_budget(make_organization())


def in_own_loop(coroutine: Any) -> Any:
    """Run it without a sync caller, and close the connections of Django's threads."""

    async def main() -> Any:
        try:
            return await coroutine
        finally:
            await sync_to_async(connections.close_all)()

    return asyncio.run(main())


def is_settled() -> None:
    """Wait for what is still being written, or released."""
    for _ in range(500):
        spool.flush()
        if "held" not in states():
            return
        time.sleep(0.01)


async def by_meter() -> None:
    async with meter("chat", **CALL) as call:
        call.set_usage(input_tokens=1000, output_tokens=100)


async def by_plain_meter() -> None:
    with meter("chat", **CALL) as call:
        call.set_usage(input_tokens=1000, output_tokens=100)


async def by_reserve() -> None:
    async with reserve("chat", **CALL) as hold:
        hold.settle(input_tokens=1000, output_tokens=100)


@track_api_call(**{**CALL, "model": ""})
async def answer(model: str) -> dict[str, Any]:
    return {"model": "test-model", "usage": {"prompt_tokens": 1000, "completion_tokens": 100}}


async def by_function() -> None:
    await answer("test-model")


WAYS = [by_meter, by_plain_meter, by_reserve, by_function]


@pytest.mark.parametrize("call", WAYS)
def test_a_call_in_a_loop_is_held_and_settled(call: Callable[[], Any], budget: Budget) -> None:
    in_own_loop(call())
    is_settled()
    assert (spent_and_held(budget), states()) == ((Decimal("0.0045"), 0), ["settled"])


@pytest.mark.parametrize("call", WAYS)
def test_a_call_in_a_loop_is_refused(call: Callable[[], Any], budget: Budget) -> None:
    change_budget(budget, limit=Decimal("0.01"))
    with pytest.raises(BudgetExceeded):
        in_own_loop(call())
    assert (ResourceUsage.objects.count(), Hold.objects.count()) == (0, 0)


class Slow:
    """A reservation that takes its time, on whatever thread."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_asked, self.may_go_on = threading.Event(), threading.Event()
        monkeypatch.setattr(holding, "reserve", self.reserve)

    def reserve(self, *args: Any, **kwargs: Any) -> Any:
        self.is_asked.set()
        assert self.may_go_on.wait(10)
        return admission.reserve(*args, **kwargs)

    async def asked(self) -> None:
        while not self.is_asked.is_set():
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("call", [by_meter, by_reserve, by_function])
def test_the_loop_goes_on_while_a_call_waits_for_its_hold(
    call: Callable[[], Any], budget: Budget, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow(monkeypatch)

    async def main() -> None:
        task = asyncio.create_task(call())
        await slow.asked()  # the loop turns although the reservation does not
        slow.may_go_on.set()
        await task

    in_own_loop(main())
    is_settled()
    assert states() == ["settled"]


def test_the_loop_goes_on_while_the_list_of_budgets_is_read(
    budget: Budget, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.COSTTRACK = {"TRANSPORT": "spool"}
    is_asked, may_go_on = threading.Event(), threading.Event()
    read = KnownBudgets._loaded

    def read_slowly(known: KnownBudgets) -> Any:
        is_asked.set()
        assert may_go_on.wait(10)
        return read(known)

    monkeypatch.setattr(KnownBudgets, "_loaded", read_slowly)

    async def main() -> None:
        task = asyncio.create_task(by_meter())
        while not is_asked.is_set():
            await asyncio.sleep(0.001)
        may_go_on.set()  # a loop that waits gives the list up after a second, and knows no budget
        await task

    in_own_loop(main())
    is_settled()
    assert states() == ["settled"]


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("call", [by_meter, by_reserve, by_function])
def test_a_task_that_is_cancelled_while_it_waits_keeps_nothing_held(
    call: Callable[[], Any], times: int, budget: Budget, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow(monkeypatch)

    async def main() -> None:
        task = asyncio.create_task(call())
        await slow.asked()
        for _ in range(times):
            task.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await task
        slow.may_go_on.set()
        for _ in range(500):
            if await Hold.objects.filter(state="released").aexists():
                break
            await asyncio.sleep(0.01)

    in_own_loop(main())
    assert (states(), spent_and_held(budget), ResourceUsage.objects.count()) == (["released"], (0, 0), 0)


def test_a_task_that_is_cancelled_just_when_its_hold_was_granted_keeps_nothing_held(
    budget: Budget, monkeypatch: pytest.MonkeyPatch
) -> None:
    granted = threading.Event()

    def reserve_and_tell(*args: Any, **kwargs: Any) -> Any:
        answer = admission.reserve(*args, **kwargs)
        granted.set()
        return answer

    monkeypatch.setattr(holding, "reserve", reserve_and_tell)

    async def main() -> None:
        task = asyncio.create_task(by_meter())
        while not granted.is_set():
            await asyncio.sleep(0)
        time.sleep(0.1)  # the answer waits for the loop
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        for _ in range(500):
            if await Hold.objects.filter(state="released").aexists():
                break
            await asyncio.sleep(0.01)

    in_own_loop(main())
    assert (states(), ResourceUsage.objects.count()) == (["released"], 0)


def test_a_call_cancelled_in_its_block_is_settled(budget: Budget) -> None:
    async def ask() -> None:
        async with meter("chat", **CALL) as call:
            call.set_usage(input_tokens=1000, output_tokens=0)
            await asyncio.sleep(60)

    async def main() -> None:
        task = asyncio.create_task(ask())
        while not await Hold.objects.aexists():
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    in_own_loop(main())
    is_settled()
    assert (states(), spent_and_held(budget)) == (["settled"], (Decimal("0.003"), 0))


def test_an_organization_that_the_host_looks_up_in_the_database_is_looked_up_off_the_loop(budget: Budget) -> None:
    def slug() -> object:
        return Organization.objects.get().slug

    given = GivenAttribution({"organization": Lazy(slug), "endpoint": Lazy(lambda: "view")}, {})

    async def main() -> None:
        with AttributionScope(given):
            async with meter(**{**CALL, "organization": ""}) as call:
                call.set_usage(input_tokens=1000, output_tokens=100)

    in_own_loop(main())
    is_settled()
    assert (states(), spent_and_held(budget)) == (["settled"], (Decimal("0.0045"), 0))
    assert Hold.objects.get().about["endpoint"] == "view"


def test_many_at_once_take_no_more_than_the_limit(budget: Budget) -> None:
    change_budget(budget, limit=Decimal("0.1"))
    admitted, refused = [], []

    async def ask() -> None:
        try:
            async with meter("chat", **CALL):
                admitted.append(1)
                while len(admitted) + len(refused) < 12:
                    await asyncio.sleep(0.001)
        except BudgetExceeded:
            refused.append(1)

    async def main() -> None:
        await asyncio.gather(*(ask() for _ in range(12)))

    in_own_loop(main())
    assert len(admitted) == 5  # 5 x 0.018 = 0.09, 6 x 0.018 = 0.108 > 0.1
