"""Which thresholds are crossed and not yet told of: read from the budgets' counters."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Case, DecimalField, Exists, ExpressionWrapper, F, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Cast

from costtrack.domain.budget_forecast import forecast_at
from costtrack.domain.budget_periods import Period
from costtrack.domain.money import decimal_from_database
from costtrack.models import BudgetAlert, BudgetCounter, BudgetThreshold

LOOKS_BACK = timedelta(days=3)
"""What was crossed in a period that has ended since is told so long after its end: the job may have been away."""
MOST_AHEAD = 20
"""A forecast is at most so many times what is spent, because it needs 5 % of the period."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """A threshold that one counter of its budget has crossed."""

    threshold: BudgetThreshold
    """With its budget, organization, project and agent."""
    counter: BudgetCounter
    figure: Decimal
    """What was compared: what is spent, or will be."""


def level_of(threshold: BudgetThreshold) -> Decimal | None:
    """The level in the budget's metric; None: percent of no limit."""
    if threshold.unit == BudgetThreshold.Unit.AMOUNT:
        return Decimal(threshold.level)
    limit: Decimal | None = threshold.budget.limit
    return None if limit is None else limit * threshold.level / 100


def crossings(*, now: datetime, using: str, counters: Collection[int] | None = None) -> Iterator[Crossing]:
    """Every crossing that no alert tells of yet; `counters` looks at those of these ids only.

    One query if nothing is crossed, else two, however many budgets there are.
    """
    for threshold, counter in _pairs(now=now, using=using, counters=counters):
        spent = decimal_from_database(counter.spent)
        if threshold.basis == BudgetThreshold.Basis.ACTUAL:
            yield Crossing(threshold, counter, spent)
            continue
        amount = forecast_at(Period(counter.period_start, counter.period_end), now=now, spent=spent).amount
        level = level_of(threshold)
        if amount is not None and level is not None and amount >= level:
            yield Crossing(threshold, counter, amount)


def refused(*, counter: BudgetCounter, using: str) -> Iterator[Crossing]:
    """The thresholds of the whole limit, where calls are refused although less is spent: what is left is too little."""
    rows = _thresholds(using).filter(
        unit=BudgetThreshold.Unit.PERCENT, level=100, basis=BudgetThreshold.Basis.ACTUAL, budget=counter.budget_id
    )
    told = BudgetAlert.objects.filter(
        threshold=OuterRef("pk"),
        subject=counter.subject,
        period_start=counter.period_start,
        generation=OuterRef("budget__alert_generation"),
    )
    for threshold in rows.filter(~Exists(told)):
        yield Crossing(threshold, counter, counter.spent)


def _thresholds(using: str) -> QuerySet[BudgetThreshold]:
    rows = BudgetThreshold.objects.using(using).filter(budget__is_active=True)
    return rows.select_related("budget__organization", "budget__project", "budget__agent")


def _pairs(
    *, now: datetime, using: str, counters: Collection[int] | None
) -> list[tuple[BudgetThreshold, BudgetCounter]]:
    """Thresholds with the counters that have spent their level, or may reach it; of which no alert tells."""
    exact = DecimalField(max_digits=40, decimal_places=12)
    ahead = Case(When(basis=BudgetThreshold.Basis.FORECAST, then=Value(MOST_AHEAD)), default=Value(1))
    reached = ExpressionWrapper(Cast(F("budget__counters__spent"), exact) * ahead, exact)
    level = Cast(F("level"), exact)
    is_reached = Q(unit=BudgetThreshold.Unit.AMOUNT, reached__gte=level) | Q(
        unit=BudgetThreshold.Unit.PERCENT, budget__limit__isnull=False, reached_percent__gte=level * F("budget__limit")
    )
    is_in_time = (
        Q(budget__counters__period_end__isnull=True)
        | Q(budget__counters__period_end__gt=now)
        | Q(budget__counters__period_end__gt=now - LOOKS_BACK, basis=BudgetThreshold.Basis.ACTUAL)
    )
    told = BudgetAlert.objects.filter(
        threshold=OuterRef("pk"),
        subject=OuterRef("budget__counters__subject"),
        period_start=OuterRef("budget__counters__period_start"),
        generation=OuterRef("budget__alert_generation"),
    )
    rows = _thresholds(using).annotate(
        reached=reached, reached_percent=reached * 100, counter_id=F("budget__counters__id")
    )
    rows = rows.filter(is_reached, is_in_time, budget__counters__period_start__lte=now, budget__counters__spent__gt=0)
    if counters is not None:
        rows = rows.filter(budget__counters__in=counters)
    found = list(rows.filter(~Exists(told)).order_by("budget_id", "level"))
    by_id = BudgetCounter.objects.using(using).in_bulk({row.counter_id for row in found})
    return [(row, by_id[row.counter_id]) for row in found if row.counter_id in by_id]
