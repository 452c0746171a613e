"""Many callers at once on one limit, its counter not made yet: as much is admitted as fits, and not one call more."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from tests.faults.budget_scene import BudgetScene, Checker
from tests.faults.children import Child
from tests.faults.databases import SQLiteDatabase, new_sqlite

SLOW_SIZES = [pytest.param(8, 8, id=f"8-8-run{run}", marks=pytest.mark.slow) for run in range(5)]
SIZES = [(3, 4), *SLOW_SIZES]


@pytest.mark.parametrize("ending", ["settled", pytest.param("left held", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("processes", "threads"), SIZES)
def test_of_one_limit_exactly_as_many_calls_are_admitted_as_fit(
    budgets: BudgetScene, processes: int, threads: int, ending: str
) -> None:
    # 142 x 0.07 = 9.94 fits into 9.99; 143 x 0.07 = 10.01 does not
    budgets.act("set_up", budgets=[{"name": "whole", "limit": "9.99"}])
    assert budgets.figures() == []  # whoever comes first makes the counter
    options = ["--leaves-held"] if ending == "left held" else ["--hectic"]
    with Checker(budgets).watching() as checker:
        calls = budgets.flood(processes, "--threads", threads, "--calls", 143, "--costs", "0.07", *options)
    assert calls.errors == []
    assert len(calls.admitted) == 142
    assert len(calls.refused) == processes * threads
    [counter] = budgets.figures()
    assert counter.faults() == []
    settled = (Decimal("9.94"), Decimal(0))
    assert (counter.spent, counter.held) == (settled if ending == "settled" else settled[::-1])
    assert checker.looks > 0
    print(f"142 admitted, {len(calls.refused)} refused, {checker.looks} looks; unavailable: {calls.unavailable}")


@pytest.mark.parametrize(("processes", "threads"), SIZES)
def test_of_mixed_costs_what_is_admitted_fits_and_what_is_refused_does_not(
    budgets: BudgetScene, processes: int, threads: int
) -> None:
    calls_each = 40
    budgets.act("set_up", budgets=[{"name": "whole", "limit": "4"}])
    with Checker(budgets).watching():
        # They go on after a refusal, so that the small ones fill what the large ones have left.
        options = [
            "--threads",
            threads,
            "--calls",
            calls_each,
            "--keep-going",
            "--costs",
            "0.03,0.07,0.011",
            "--hectic",
        ]
        calls = budgets.flood(processes, *options)
    assert calls.errors == []
    assert len(calls.admitted) + len(calls.refused) == processes * threads * calls_each
    left = 4 - calls.admitted_usd
    assert 0 <= left < min(calls.refused_costs) == Decimal("0.011")
    [counter] = budgets.figures()
    assert (counter.spent, counter.held) == (calls.admitted_usd, 0)
    assert counter.faults() == []


@pytest.mark.parametrize(("processes", "threads"), SIZES)
def test_each_thread_of_a_budget_per_thread_gets_its_own_limit_exactly(
    budgets: BudgetScene, processes: int, threads: int
) -> None:
    # 3 x 0.33 = 0.99 fits into 1, for each of 12 conversations that nobody has heard of before
    conversations = [f"conversation {number}" for number in range(12)]
    budgets.act("set_up", budgets=[{"name": "each", "limit": "1", "per": "thread"}])
    options = ["--threads", threads, "--calls", 12, "--keep-going", "--costs", "0.33", "--hectic"]
    with Checker(budgets).watching():
        calls = budgets.flood(processes, *options, who=[{"thread_id": one} for one in conversations])
    assert calls.errors == []
    assert len(calls.admitted) == 12 * 3
    assert Counter({row.subject: row.spent for row in budgets.figures()}) == {
        one: Decimal("0.99") for one in conversations
    }
    assert [row.faults() for row in budgets.figures()] == [[]] * 12


@pytest.mark.parametrize(("processes", "threads"), SIZES)
def test_chains_that_meet_from_all_sides_and_the_writers_of_their_counters_never_deadlock(
    budgets: BudgetScene, processes: int, threads: int
) -> None:
    budgets.costtrack["BUDGET_LOCK_TIMEOUT_MS"] = 20_000  # else it would end a deadlock before the server sees it
    # The budgets are made from the widest to the narrowest, so the order of their ids is the opposite of the chain's.
    budgets.act(
        "set_up",
        projects=["web", "app"],
        budgets=[
            {"name": "whole", "limit": "1000"},
            {"name": "web", "project": "web", "limit": "1000"},
            {"name": "chat", "endpoint": "chat", "limit": "1000"},
            {"name": "app", "project": "app", "limit": "1000"},
            {"name": "web chat", "project": "web", "endpoint": "chat", "limit": "1000"},
            {"name": "each", "per": "thread", "limit": "1000"},
        ],
    )
    who = [
        {"thread_id": f"t{thread}", **scope}
        for thread in range(3)
        for scope in (
            {"project": "web", "endpoint": "chat"},
            {"project": "app", "endpoint": "chat"},
            {"endpoint": "chat"},
            {"project": "web"},
        )
    ]
    with Checker(budgets).watching() as checker:
        calls = budgets.flood(processes, "--threads", threads, "--calls", 40, "--hectic", who=who)
    assert calls.errors == []
    assert len(calls.recorded) == processes * threads * 40
    assert calls.unavailable == {}
    assert budgets.deadlocks() == 0
    assert [row.faults() for row in budgets.figures()] == [[]] * (5 + 3)
    assert budgets.counter("whole").spent == processes * threads * 40 * Decimal("0.01")
    print(f"{len(calls.recorded)} calls, {checker.looks} looks")


def test_on_sqlite_exactly_as_many_calls_are_admitted_as_fit(children: list[Child], tmp_path: Path) -> None:
    path = new_sqlite(tmp_path / "db.sqlite3", tmp_path / "log").path
    budgets = BudgetScene(database=SQLiteDatabase(path=path), folder=tmp_path, children=children)
    budgets.act("set_up", budgets=[{"name": "each", "limit": "5", "per": "thread"}, {"name": "whole", "limit": "3"}])
    # 42 x 0.07 = 2.94 fits into 3; 43 x 0.07 = 3.01 does not
    options = ["--threads", 2, "--calls", 43, "--costs", "0.07", "--hectic"]
    calls = budgets.flood(3, *options, who=[{"thread_id": "t"}])
    assert calls.errors == []
    assert len(calls.admitted) == 42
    assert set(calls.refused.values()) == {"whole"}
    assert len(calls.refused) == 3 * 2
    sums = "SELECT group_concat(round(spent, 9) || ' ' || held) FROM costtrack_budgetcounter"
    assert budgets.value(sums) == "2.94 0,2.94 0"
