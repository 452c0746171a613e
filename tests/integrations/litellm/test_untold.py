"""Calls of the SDK of which LiteLLM tells no callback: `instrument()` books them by what the caller got, or gave."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from decimal import Decimal

import pytest
from litellm.litellm_core_utils.thread_pool_executor import executor

from costtrack.metering.meter import meter
from costtrack.models import Budget, ResourceUsage
from tests.factories import make_rate
from tests.integrations.litellm.bodies import chat, chat_stream
from tests.integrations.litellm.sdk import FULL, IGNORED, STREAMED, Watcher, ask, ask_async, in_a_loop, rows
from tests.integrations.wire.answers import json_answer
from tests.integrations.wire.server import Wire
from tests.metering.budgeted import spent_and_held, states

pytestmark = [pytest.mark.django_db(transaction=True), *map(pytest.mark.filterwarnings, IGNORED)]


@pytest.fixture
def no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many calls wait to be told as LiteLLM lets wait: it drops the next."""
    monkeypatch.setattr(executor, "_pending_slots", threading.Semaphore(0))


def test_a_task_that_is_cancelled_is_booked_and_settles_its_hold(
    wire: Wire, instrumented: Watcher, budget: Budget
) -> None:
    async def cancelled() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await ask_async(wire, max_tokens=1000)

    wire.gives(json_answer({}, after_seconds=0.6))
    in_a_loop(cancelled)
    [row] = rows(instrumented, told=0)
    # what it was given to read is charged: 10 x 3 = 30 per million
    assert (row.outcome, row.is_estimated, row.cost_usd) == ("error", True, Decimal("0.00003"))
    assert (states(), spent_and_held(budget)) == (["settled"], (Decimal("0.00003"), Decimal(0)))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # LiteLLM leaves its socket open
def test_a_stream_that_is_left_settles_its_hold(wire: Wire, instrumented: Watcher, budget: Budget) -> None:
    wire.gives(chat_stream(between_seconds=0.05))
    stream = ask(wire, max_tokens=1000, **STREAMED)
    next(stream)
    stream.close()
    del stream
    until = time.monotonic() + 5
    while not ResourceUsage.objects.exists() and time.monotonic() < until:
        time.sleep(0.05)  # LiteLLM's threads let the chunks go
        gc.collect()
    [row] = rows(instrumented, told=0)
    assert (row.is_estimated, row.metadata["stream"]) == (True, "ended early")
    assert row.cost_usd == Decimal("0.00006")  # 10 x 3 in + 2 x 15 for the "Hello, " that had come = 60 per million
    assert states() == ["settled"]


def test_a_call_that_litellm_tells_nobody_of_is_booked_by_its_answer(
    wire: Wire, instrumented: Watcher, budget: Budget
) -> None:
    wire.gives(chat())
    ask(wire, max_tokens=1000, **{"no-log": True})
    [row] = rows(instrumented, told=0)
    assert (row.cost_usd, states()) == (FULL, ["settled"])


def test_a_call_that_litellm_drops_before_it_tells_is_booked_by_its_answer(
    wire: Wire, instrumented: Watcher, budget: Budget, no_room: None
) -> None:
    wire.gives(chat())
    answered = ask(wire, max_tokens=1000)
    [row] = rows(instrumented, told=0)
    assert (row.cost_usd, row.outcome, row.is_estimated) == (FULL, "success", False)
    assert (row.output_tokens, answered.usage.completion_tokens) == (100, 100)
    assert (states(), spent_and_held(budget)) == (["settled"], (FULL, Decimal(0)))


def test_in_a_block_that_observes_it_a_dropped_call_is_charged_once(
    wire: Wire, instrumented: Watcher, no_room: None
) -> None:
    make_rate()
    wire.gives(chat())
    with meter("chat", provider="openai") as call:
        call.observe(ask(wire, max_tokens=1000))
    [row] = rows(instrumented, told=0)
    assert row.cost_usd == FULL


def test_a_stream_that_litellm_drops_before_it_tells_is_booked_by_its_chunks(
    wire: Wire, instrumented: Watcher, budget: Budget, no_room: None
) -> None:
    wire.gives(chat_stream())
    assert len(list(ask(wire, max_tokens=1000, **STREAMED))) > 2
    gc.collect()
    [row] = rows(instrumented, told=0)
    assert (row.cost_usd, row.is_estimated, "stream" in row.metadata) == (FULL, False, False)
    assert (states(), spent_and_held(budget)) == (["settled"], (FULL, Decimal(0)))


def test_a_call_that_is_told_late_is_charged_once(wire: Wire, instrumented: Watcher, budget: Budget) -> None:
    wire.gives(chat())
    for waiting in [executor.submit(time.sleep, 0.3) for _ in range(2)]:
        assert not waiting.done()
    ask(wire, max_tokens=1000)
    gc.collect()
    [row] = rows(instrumented)
    assert (row.cost_usd, row.metadata["call_type"]) == (FULL, "completion")
