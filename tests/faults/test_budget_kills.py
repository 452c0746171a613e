"""Processes killed with SIGKILL between reserve, call and settle: the counters are right in every snapshot."""

from __future__ import annotations

import random
import time
from decimal import Decimal

import pytest

from tests.faults.budget_scene import BudgetScene, Checker
from tests.faults.children import Child, wait_until

TTL_SECONDS = {8: 10, 200: 30}
"""By the number of kills: long enough for a living process to adopt what a dead one has spooled, on a busy machine too.
A call that is recorded after its hold has expired counts all the same, and could take a counter past its limit."""
STEP_USD = Decimal("2.4")
"""The limits are reached all along: every few kills they are raised by so much."""
KILLS_PER_STEP = 4
WHO = [{"thread_id": f"t{number}", "project": "web"} for number in range(6)] + [{}]


def limits(steps: int) -> dict[str, str]:
    """By the names of the budgets: each conversation, the project, the organization."""
    return {"each": str(steps * STEP_USD / 4), "web": str(steps * STEP_USD), "whole": str(steps * STEP_USD + 1)}


class Worker:
    """One calling process after the other: when one is killed, the next takes its place."""

    def __init__(self, budgets: BudgetScene, name: str, ttl_seconds: int) -> None:
        self._ttl_seconds = ttl_seconds
        self._budgets = budgets
        self._name = name
        self._generation = 0
        self.start()

    def start(self) -> None:
        self._generation += 1
        self.name = f"{self._name}.{self._generation}"
        options = ["--threads", 2, "--ttl", self._ttl_seconds, "--call-ms", 12, "--costs", "0.01,0.013", "--keep-going"]
        self.child: Child = self._budgets.start_calls(self.name, *options, "--hectic", "--by-name", who=WHO)

    def wait_until_calling(self) -> None:
        path = self._budgets.folder / f"{self.name}.calls"
        wait_until(lambda: path.exists() and path.read_bytes().count(b"\n") > 2, what=f"{self.name} makes calls")

    def kill(self) -> None:
        self.child.kill()
        self._budgets.children.remove(self.child)


@pytest.mark.parametrize("kills", [8, pytest.param(200, marks=pytest.mark.slow)])
def test_spent_is_the_ledger_and_held_the_live_holds_and_no_limit_is_passed_however_often_callers_are_killed(
    budgets: BudgetScene, chance: random.Random, kills: int
) -> None:
    scopes = {"each": {"per": "thread"}, "web": {"project": "web"}, "whole": {}}
    made = [{"name": name, "limit": limit, **scopes[name]} for name, limit in limits(1).items()]
    budgets.act("set_up", projects=["web"], budgets=made)
    workers = [Worker(budgets, f"w{number}", TTL_SECONDS[kills]) for number in range(4)]
    budgets.go()
    with Checker(budgets).watching() as checker:
        for number in range(kills):
            if number % KILLS_PER_STEP == KILLS_PER_STEP - 1:
                budgets.act("change_limits", limits=limits(number // KILLS_PER_STEP + 2))
            victim = workers[number % 4]  # the one that has been there the longest: the others may still be starting
            victim.wait_until_calling()
            time.sleep(chance.uniform(0, 0.3))
            victim.kill()
            victim.start()
        budgets.act("change_limits", limits=limits(kills // KILLS_PER_STEP + 2))
        for worker in workers:
            worker.wait_until_calling()
            worker.kill()
        drained = budgets.drain()
        time.sleep(TTL_SECONDS[kills])
        swept = budgets.act("sweep")["swept"]
    calls, charged = budgets.calls(), budgets.database.charged()

    assert calls.errors == []
    assert calls.recorded - charged.keys() == set()
    assert set(charged.values()) == {1}
    assert charged.keys() <= calls.begun.keys()
    assert drained["differences"] == drained["segments_left"] == []
    figures = budgets.figures()
    assert [row.held for row in figures] == [0] * (6 + 2)
    assert [row.faults() for row in figures] == [[]] * (6 + 2)
    lost = budgets.value("SELECT count(*) FROM costtrack_hold WHERE state = 'expired'")
    assert budgets.value("SELECT count(*) FROM costtrack_hold WHERE state NOT IN ('settled', 'expired')") == 0
    assert budgets.value("SELECT count(*) FROM costtrack_hold WHERE is_overrun") == 0
    # A hold that was not settled belongs to a thread that was killed; each process has two.
    assert 1 <= lost <= 2 * (kills + 4)
    assert {"web", "each", "whole"} & {*calls.refused.values()}
    assert checker.looks > kills
    print(
        f"{kills} + 4 kills: {len(calls.admitted)} admitted, {len(calls.refused)} refused, {len(charged)} in the "
        f"ledger, {lost} holds expired ({swept} of them at the end), "
        f"{checker.looks} looks, at most {checker.most_held} held; unavailable: {calls.unavailable}"
    )
