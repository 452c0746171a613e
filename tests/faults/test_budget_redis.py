"""Redis admits calls out of leases, and is flushed, killed, paused or emptied meanwhile: no limit is ever passed."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

import pytest

from tests.budgets.redis_scene import OwnRedis
from tests.faults.budget_scene import BudgetScene, Checker
from tests.faults.children import wait_until

LONGEST_MS = 10_000
"""The slowest reservation, whatever happens to Redis. It is mostly some milliseconds; machines may be busy."""
LIMIT, COST = Decimal("49.99"), Decimal("0.07")
FITTING = 714  # 714 x 0.07 = 49.98, 715 x 0.07 = 50.05


@pytest.fixture
def server() -> Iterator[OwnRedis]:
    """A Redis of this test's own."""
    with OwnRedis() as server:
        yield server


def flush(server: OwnRedis) -> None:
    """All that it knows is gone, and it is the same run."""
    server.say("FLUSHALL")


def pause(server: OwnRedis) -> None:
    """It answers nothing for a while, and then everything."""
    with server.stopped():
        time.sleep(0.4)


def restart(server: OwnRedis) -> None:
    """It comes back at once, and knows nothing."""
    server.kill()
    server.start()


def go_away(server: OwnRedis) -> None:
    """It is away for a while."""
    server.kill()
    time.sleep(0.5)
    server.start()


def let_it_be(server: OwnRedis) -> None:
    """Nothing at all."""


ALL = (flush, pause, restart, go_away)


@pytest.mark.parametrize(
    ("processes", "threads", "hurts"),
    [
        pytest.param(2, 4, (let_it_be,), id="nothing"),
        pytest.param(2, 4, ALL, id="all"),
        pytest.param(8, 8, (let_it_be,), id="nothing-8-8", marks=pytest.mark.slow),
        *(pytest.param(8, 8, (hurt,), id=f"{hurt.__name__}-8-8", marks=pytest.mark.slow) for hurt in ALL),
    ],
)
def test_whatever_happens_to_redis_no_limit_is_passed_and_no_caller_sees_it(
    budgets: BudgetScene,
    server: OwnRedis,
    chance: random.Random,
    processes: int,
    threads: int,
    hurts: Sequence[Callable[[OwnRedis], None]],
) -> None:
    budgets.costtrack.update(BUDGET_BACKEND="redis", REDIS_URL=server.url)
    budgets.act(
        "set_up",
        budgets=[{"name": "each", "per": "thread", "limit": "1000"}, {"name": "whole", "limit": str(LIMIT)}],
    )
    who = [{"thread_id": f"t{number}"} for number in range(3)]
    options = ["--threads", threads, "--calls", FITTING + 1, "--costs", COST, "--call-ms", 6, "--hectic"]
    children = [budgets.start_calls(f"c{number}", *options, who=who) for number in range(processes)]
    with Checker(budgets).watching() as checker:
        budgets.go()
        wait_until(lambda: server.keys("k"), what="Redis admits out of leases")
        for hurt in itertools.cycle(hurts):
            time.sleep(chance.uniform(0, 0.4))
            if all(child.process.poll() is not None for child in children):
                break
            hurt(server)
        for child in children:
            child.result()
    calls = budgets.calls()
    assert calls.errors == []
    assert calls.unheld == set()
    assert set(calls.refused.values()) == {"whole"}
    assert calls.longest_ms < LONGEST_MS
    assert calls.recorded == calls.admitted.keys() == budgets.database.charged().keys()
    assert set(budgets.database.charged().values()) == {1}
    whole = budgets.counter("whole")
    assert [row.faults() for row in budgets.figures()] == [[]] * 4
    assert whole.spent == len(calls.admitted) * COST
    # What Redis lost of its leases is out of reach until they expire; what it did not lose is all used.
    leased = whole.leased
    assert len(calls.admitted) == FITTING or (hurts != (let_it_be,) and leased > 0)
    print(
        f"{[hurt.__name__ for hurt in hurts]}: {len(calls.admitted)} of {FITTING} admitted, {leased} leased at the "
        f"end, {checker.looks} looks; the slowest {calls.longest_ms} ms; unavailable: {calls.unavailable}"
    )
