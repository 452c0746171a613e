"""The caps of a run: a budget each, of the run alone, with a threshold at the whole of it."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal

from costtrack.budgets.changes import change_budget, create_budget
from costtrack.domain.budget_periods import BudgetPeriod
from costtrack.domain.budget_rules import BudgetMetric, Enforcement
from costtrack.exceptions import BudgetNotFound
from costtrack.models import Budget, Severity, UsageRun

LONGEST_NAME = 170


def watch_caps(run: UsageRun, *, using: str) -> None:
    """Make a budget for each cap: hard where the run is enforced, else soft. An alert is raised when it is reached."""
    name = "".join(character if character.isprintable() else " " for character in str(run)[:LONGEST_NAME])
    caps = {BudgetMetric.COST_USD: run.cost_cap, BudgetMetric.CALLS: run.max_calls}
    for metric, cap in caps.items():
        if cap is None:
            continue
        budget = create_budget(
            organization=run.organization,
            run=run.run_id,
            name=f"Run {name}: {metric.value}",
            metric=metric.value,
            limit=Decimal(cap),
            period=BudgetPeriod.TOTAL.value,
            enforcement=(Enforcement.HARD if run.is_enforced else Enforcement.SOFT).value,
            note="The cap of the run's plan.",
            using=using,
        )
        budget.thresholds.create(level=100, severity=Severity.CRITICAL if run.is_enforced else Severity.WARNING)
        run.budgets.add(budget)


def watch_caps_again(run: UsageRun, *, using: str) -> None:
    """Wake the budgets of a run that goes on."""
    for budget in run.budgets.filter(is_active=False):
        change_budget(budget, is_active=True, note="The run goes on.", using=using)


def rest(budget: Budget, *, using: str) -> None:
    """Let the budget of a run that has ended rest: its figures stay, and no call is compared with it any more."""
    with suppress(BudgetNotFound):  # somebody has just deleted it
        change_budget(budget, is_active=False, note="The run has ended.", using=using)
