"""Asking for a reservation, and looking at what it did."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from costtrack.budgets.admission import Granted, reserve
from costtrack.budgets.asking import Ask
from costtrack.budgets.book import OrganizationBudgets
from costtrack.budgets.changes import create_budget
from costtrack.domain.budget_rules import SCOPE, Quantities
from costtrack.models import Budget, BudgetCounter, Organization
from tests.factories import NOON, summed


def make_budget(organization: Organization, limit: str | None = "1", **fields: Any) -> Budget:
    """A hard daily budget of US dollars, unless the fields say otherwise."""
    values: dict[str, Any] = {"period": "day", "enforcement": "hard", **fields}
    return create_budget(
        organization=organization,
        limit=None if limit is None else Decimal(limit),
        is_unlimited=limit is None,
        **values,
    )


def hold(
    cost: str | None = "0.1",
    *,
    tokens: int | None = 100,
    amount: str = "0",
    hold_id: UUID | None = None,
    at: datetime = NOON,
    ttl: timedelta = timedelta(minutes=5),
    organization: str = "acme",
    flush: Callable[[], None] = lambda: None,
    **facts: Any,
) -> Granted | None:
    """Reserve for one call that may cost so much."""
    known = {**dict.fromkeys(SCOPE, ""), "project_id": None, "agent_id": None, **facts}
    worst = Quantities(cost_usd=None if cost is None else Decimal(cost), tokens=tokens, amount=Decimal(amount))

    def ask(budgets: OrganizationBudgets) -> Ask:
        return Ask(hold_id=hold_id or uuid4(), facts=known, worst=worst, at=at, ttl=ttl, about={"model": "test-model"})

    return reserve(organization, ask, flush=flush)


def figures(budget: Budget, subject: str = "") -> tuple[Decimal, Decimal]:
    """(spent, held) of the budget's counter on the day of NOON, or of all time."""
    counter = BudgetCounter.objects.get(budget=budget, subject=subject)
    return summed(counter.spent), summed(counter.held)
