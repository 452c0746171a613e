"""A budget that is changed or made while others are at work: it holds for them in time, and forgets nothing."""

from __future__ import annotations

import json
import time
from decimal import Decimal

import pytest

from tests.faults.budget_scene import BudgetScene
from tests.faults.children import wait_until
from tests.faults.test_terminated import flusher_pids

LISTED_SECONDS = 2.0
"""By then a process that is metering knows of a new budget."""


def test_a_changed_limit_holds_at_the_very_next_reservation_of_another_process(budgets: BudgetScene) -> None:
    budgets.act("set_up", budgets=[{"name": "whole", "limit": "1000"}])
    budgets.start_calls("c", "--keep-going", "--leaves-held", "--call-ms", 1)
    budgets.go()
    budgets.wait_until_admitted(20)
    lowered_at = budgets.act("change_limits", limits={"whole": "0.05"})["at"]
    wait_until(lambda: len(budgets.calls().refused) > 5, what="calls are refused")
    raised_at = budgets.act("change_limits", limits={"whole": "1000"})["at"]
    admitted = len(budgets.calls().admitted)
    budgets.wait_until_admitted(admitted + 20)
    budgets.children[0].kill()
    calls = budgets.calls()
    assert calls.errors == []
    assert [one for one in calls.admitted if lowered_at < calls.begun[one] < raised_at - 0.5] == []
    assert [one for one in calls.refused if calls.begun[one] > raised_at] == []
    # The change itself takes a process's start, so there are some on both sides of it.
    assert sum(lowered_at < begun < raised_at for begun in calls.begun.values()) > 5


def test_a_new_budget_holds_within_two_seconds_in_a_process_that_meters_all_the_while(budgets: BudgetScene) -> None:
    # The first budget that there ever is, and then one more.
    # One process also books what its calls used, and so meets the budgets as a writer; the other only reserves.
    for name, option in (("books", "--hectic"), ("reserves", "--leaves-held")):
        budgets.start_calls(name, "--keep-going", "--call-ms", 4, option, who=[{"endpoint": "chat"}])
    budgets.go()
    for name in budgets.names:
        wait_until(lambda name=name: len(budgets.calls(name).admitted) > 20, what=f"{name} makes calls")
    first_at = budgets.act("create", name="first", limit="1000")["at"]
    time.sleep(LISTED_SECONDS + 0.5)
    second_at = budgets.act("create", name="second", endpoint="chat", limit="0")["at"]
    for name in budgets.names:
        wait_until(
            lambda name=name: max(budgets.calls(name).begun.values()) > second_at + LISTED_SECONDS + 0.3,
            what=f"{name} makes calls after that",
        )
    for child in budgets.children:
        child.kill()
    calls = budgets.calls()
    assert calls.errors == []
    assert any(calls.begun[one] < first_at for one in calls.unheld)  # then no budget asked for a hold
    assert [one for one in calls.unheld if calls.begun[one] > first_at + LISTED_SECONDS] == []
    assert [one for one in calls.admitted if calls.begun[one] > second_at + LISTED_SECONDS] == []
    assert {*calls.refused.values()} == {"second"}
    budgets.drain()
    first = budgets.counter("first")
    # It counts what was used before it was there, too.
    assert first.faults(may_pass_limit=True) == []
    assert first.spent == len(budgets.database.charged()) * Decimal("0.01")


@pytest.mark.parametrize(
    ("known", "pause"),
    [
        ("the first budget", "before"),
        ("one more budget", "after"),
        pytest.param("the first budget", "after", marks=pytest.mark.slow),
        pytest.param("one more budget", "before", marks=pytest.mark.slow),
    ],
)
def test_a_batch_in_flight_does_not_forget_a_budget_that_is_made_meanwhile(
    budgets: BudgetScene, known: str, pause: str
) -> None:
    if known == "one more budget":
        budgets.act("set_up", budgets=[{"name": "old", "limit": "9"}])
    batch = budgets.start("budget_acts", "write_in_flight", json.dumps({"folder": str(budgets.folder), "pause": pause}))
    budgets.wait_until_there("in-batch")
    making = budgets.start("budget_acts", "create", json.dumps({"name": "new", "limit": "9"}))
    if pause == "before":
        # Somebody makes the new budget's counter while the batch has not read that there is such a budget.
        making.result()
        assert budgets.act("reserve") == {"is_held": True}
        assert budgets.counter("new").spent == 0
    else:
        with budgets.database.connect() as direct:
            wait_until(lambda: flusher_pids(direct, that_wait=True), what="who makes the budget waits for the batch")
    (budgets.folder / "batch-goes-on").touch()
    assert json.loads(batch.result()) == {"status": "recorded"}
    if pause == "after":
        making.result()
        assert budgets.act("reserve") == {"is_held": True}
    assert [(row.spent, row.held, row.faults()) for row in budgets.figures()] == [
        (Decimal("0.01"), Decimal("0.01"), []) for _ in range(1 + (known == "one more budget"))
    ]
