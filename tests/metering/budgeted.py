"""What the tests of admission begin with, and look at."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from costtrack.budgets.changes import create_budget
from costtrack.models import Budget, BudgetCounter, Hold, Organization
from tests.factories import summed


def make_budget(organization: Organization, limit: str = "1", **fields: Any) -> Budget:
    """A hard budget of US dollars for all time, unless the fields say otherwise."""
    values: dict[str, Any] = {"period": "total", "enforcement": "hard", **fields}
    return create_budget(organization=organization, limit=Decimal(limit), **values)


def spent_and_held(budget: Budget, subject: str = "") -> tuple[Decimal, Decimal]:
    """Of the budget's counter; (0, 0) if it has none."""
    counter = BudgetCounter.objects.filter(budget=budget, subject=subject).first()
    return (Decimal(0), Decimal(0)) if counter is None else (summed(counter.spent), summed(counter.held))


def states() -> list[str]:
    """Of all holds, oldest first."""
    return list(Hold.objects.order_by("admitted_at").values_list("state", flat=True))
