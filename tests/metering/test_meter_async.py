"""meter() in coroutines: async with, a plain with on the loop, cancellation, many at once."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import connections

from costtrack.metering.context import attribute
from costtrack.metering.database_thread import run_async, run_sync
from costtrack.metering.meter import meter
from costtrack.metering.record import record_usage
from costtrack.models import ResourceUsage
from tests.factories import make_organization, make_rate
from tests.metering.responses import chat_completion


@pytest.fixture
def in_own_loop() -> Callable[[Any], Any]:
    """Run a coroutine by asyncio.run, and close the connections of the threads that Django used for it."""

    def run(coroutine: Any) -> Any:
        async def main() -> Any:
            try:
                return await coroutine
            finally:
                await sync_to_async(connections.close_all)()

        return asyncio.run(main())

    return run


@pytest.mark.django_db
def test_an_async_block_shares_the_transaction_of_its_sync_caller() -> None:
    make_rate()

    async def ask() -> Any:
        async with meter("chat", provider="openai") as call:
            await asyncio.sleep(0)
            call.observe(chat_completion())
        return call

    call = async_to_sync(ask)()
    assert call.cost_usd == Decimal("0.0045")
    assert ResourceUsage.objects.get().cost_usd == Decimal("0.0045")


@pytest.mark.django_db
def test_a_plain_block_in_a_coroutine_shares_it_too() -> None:
    make_rate()

    async def ask() -> Any:
        with meter("chat", provider="openai") as call:
            call.observe(chat_completion())
            assert call.cost_usd == Decimal("0.0045")
        return record_usage(provider="openai", model="test-model", input_tokens=1000)

    assert async_to_sync(ask)().cost_usd == Decimal("0.003")
    assert ResourceUsage.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_both_kinds_of_blocks_work_in_a_loop_without_a_sync_caller(in_own_loop: Callable[[Any], Any]) -> None:
    async def ask() -> None:
        async with meter("async", model="m") as call:
            call.set_usage(input_tokens=1)
        assert call.result is not None
        with meter("sync", model="m") as call:
            call.set_usage(input_tokens=1)
        assert call.result is not None

    in_own_loop(ask())
    assert set(ResourceUsage.objects.values_list("endpoint", flat=True)) == {"async", "sync"}


@pytest.mark.django_db(transaction=True)
def test_a_cancelled_call_is_recorded_and_stays_cancelled(in_own_loop: Callable[[Any], Any]) -> None:
    make_rate()

    is_begun = asyncio.Event()

    async def ask() -> None:
        async with meter("chat", provider="openai", model="test-model"):
            is_begun.set()
            await asyncio.sleep(60)

    async def main() -> None:
        task = asyncio.create_task(ask())
        await is_begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    in_own_loop(main())
    row = ResourceUsage.objects.get()
    assert (row.outcome, row.error_type) == ("error", "asyncio.exceptions.CancelledError")
    assert (row.usage_missing, row.cost_usd) == (True, None)


@pytest.mark.django_db(transaction=True)
def test_a_call_cancelled_twice_is_still_recorded(in_own_loop: Callable[[Any], Any]) -> None:
    is_begun = asyncio.Event()

    async def ask() -> None:
        async with meter("chat", model="m") as call:
            call.set_usage(input_tokens=1)
            is_begun.set()
            await asyncio.sleep(60)

    async def main() -> None:
        task = asyncio.create_task(ask())
        await is_begun.wait()
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        for _ in range(500):
            if await ResourceUsage.objects.acount():
                break
            await asyncio.sleep(0.01)

    in_own_loop(main())
    assert ResourceUsage.objects.get().input_tokens == 1


@pytest.mark.django_db
def test_a_cancelled_call_that_waits_for_the_database_stays_in_the_transaction_of_its_caller() -> None:
    is_begun, may_end = asyncio.Event(), asyncio.Event()

    async def ask() -> None:
        async with meter("chat", model="m") as call:
            call.set_usage(input_tokens=1)
            is_begun.set()
            await may_end.wait()

    async def main() -> None:
        task = asyncio.create_task(ask())
        await is_begun.wait()
        busy = asyncio.create_task(sync_to_async(time.sleep)(0.1))
        await asyncio.sleep(0.02)
        may_end.set()
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await busy
        assert await ResourceUsage.objects.acount() == 1

    async_to_sync(main)()


def test_work_that_a_dying_loop_cancelled_before_it_began_is_done_all_the_same() -> None:
    done = threading.Event()
    blocker = threading.Event()

    async def main() -> None:
        blocking = asyncio.create_task(run_async(lambda: blocker.wait(10)))
        await asyncio.sleep(0.05)
        asyncio.create_task(run_async(done.set))  # noqa: RUF006
        await asyncio.sleep(0.05)
        assert not done.is_set()
        threading.Timer(0.1, blocker.set).start()
        blocking.cancel()

    asyncio.run(main())
    assert done.wait(5)


def test_work_is_done_once_even_if_it_is_cancelled_while_it_runs() -> None:
    runs = []

    def work() -> None:
        runs.append(1)
        time.sleep(0.1)

    async def main() -> None:
        task = asyncio.create_task(run_async(work))
        await asyncio.sleep(0.03)
        task.cancel()

    asyncio.run(main())
    time.sleep(0.2)
    assert runs == [1]


def test_an_error_of_the_work_reaches_the_coroutine_that_waits() -> None:
    def fail() -> None:
        raise RuntimeError("CurrentThreadExecutor is only a word here")

    async def main() -> None:
        with pytest.raises(RuntimeError, match="only a word"):
            run_sync(fail)

    async_to_sync(main)()
    asyncio.run(main())


@pytest.mark.django_db(transaction=True)
def test_calls_of_two_organizations_at_once_never_mix() -> None:
    make_organization("acme")
    make_organization("globex")

    def work(number: int) -> None:
        organization = ("acme", "globex")[number % 2]
        try:
            with attribute(organization=organization), meter(organization, model="m") as call:
                call.set_usage(input_tokens=number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(24)))
    seen = set(ResourceUsage.objects.values_list("organization__slug", "endpoint"))
    assert (seen, ResourceUsage.objects.count()) == ({("acme", "acme"), ("globex", "globex")}, 24)
