"""A counter that is missing is made from the ledger: once, however many make it, and whoever writes meanwhile."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest

from tests.faults.budget_scene import BudgetScene, Checker
from tests.faults.children import wait_until

ROUNDS = 20


@pytest.mark.parametrize("processes", [4, pytest.param(8, marks=pytest.mark.slow)])
def test_processes_that_make_one_counter_at_the_same_moment_make_it_once(budgets: BudgetScene, processes: int) -> None:
    budgets.act("set_up", budgets=[{"name": "whole", "limit": "5"}])
    budgets.flood(1, "--calls", 50)  # 50 x 0.01 = 0.50
    assert budgets.counter("whole").spent == Decimal("0.5")
    names = [f"r{number}" for number in range(processes)]
    children = [budgets.start("budget_rebuild", budgets.folder, name, "--rounds", ROUNDS) for name in names]
    budgets.wait_until_there(*(f"{name}.ready" for name in names))
    with budgets.database.connect() as direct:
        for number in range(ROUNDS):
            direct.execute("DELETE FROM costtrack_budgetcounter")
            (budgets.folder / f"round-{number}").touch()
            budgets.wait_until_there(*(f"{name}.made-{number}" for name in names))
            rows = direct.execute("SELECT spent, held FROM costtrack_budgetcounter").fetchall()
            assert rows == [(Decimal("0.5"), Decimal(0))]
    for child in children:
        child.result()


def test_counters_that_vanish_and_are_made_while_others_write_always_say_what_the_ledger_says(
    budgets: BudgetScene,
) -> None:
    budgets.act("set_up", budgets=[{"name": "whole", "is_unlimited": True, "enforcement": "soft"}])
    for number in range(2):
        budgets.start_metering(f"m{number}", "--hectic")
        budgets.start("budget_rebuild", budgets.folder, f"r{number}")
    budgets.wait_until_there("r0.made-0", "r1.made-0")
    budgets.wait_until_charged(1)
    with Checker(budgets).watching() as checker, budgets.database.connect() as direct:
        deadline, vanished = time.monotonic() + 3, 0
        while time.monotonic() < deadline:
            vanished += direct.execute("DELETE FROM costtrack_budgetcounter").rowcount
            time.sleep(0.01)
        so_far = budgets.database.keys()
        budgets.wait_until_charged(so_far + 1)
        wait_until(budgets.figures, what="the counter is there again")
    for child in budgets.children:
        child.kill()
    reckoning = budgets.reckon()
    [counter] = budgets.figures()
    assert counter.faults() == []
    assert counter.spent == Decimal(reckoning.drained["cost_usd"]) > 0
    assert vanished >= 20
    print(f"{vanished} counters vanished, {budgets.database.keys()} events, {checker.looks} looks")
