"""What a new budget is where nobody says: how it holds, how many tokens a thread has, and of what people are told."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from costtrack.domain.budget_periods import BudgetPeriod
from costtrack.domain.budget_rules import BudgetMetric, Enforcement, Per
from costtrack.models import Budget, BudgetThreshold, Severity

SOFT_PERIODS = (BudgetPeriod.WEEK, BudgetPeriod.MONTH)
"""Too long to refuse all calls until they end."""
THREAD_TOKENS = Decimal(100_000)
"""Of a budget of tokens for each thread."""
LEVELS = ((Decimal(80), Severity.WARNING), (Decimal(100), Severity.CRITICAL))
"""(percent of what is spent, severity) of a budget that is soft because nobody said how it holds."""


def default_enforcement(period: object) -> Enforcement:
    """Soft for a week or a month, else hard."""
    return Enforcement.SOFT if period in SOFT_PERIODS else Enforcement.HARD


def with_defaults(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a new budget, with those that were not given; what was given stays, None too."""
    given = dict(fields)
    given.setdefault("enforcement", default_enforcement(given.get("period")).value)
    is_of_threads = given.get("per") == Per.THREAD and given.get("metric") == BudgetMetric.TOKENS
    if is_of_threads and not given.get("is_unlimited"):
        given.setdefault("limit", THREAD_TOKENS)
    return given


def add_default_thresholds(budget: Budget, *, using: str) -> None:
    """Tell people of a soft budget that comes near its limit, for it refuses nothing. It has no thresholds yet."""
    if budget.enforcement != Enforcement.SOFT or budget.limit is None:
        return
    BudgetThreshold.objects.using(using).bulk_create(
        BudgetThreshold(budget=budget, level=level, severity=severity) for level, severity in LEVELS
    )
