"""Days that cost far more than the days before them: the median of 28 days, and how far days usually lie from it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from statistics import median
from typing import NamedTuple

from django.db.models import Sum

from costtrack.domain.money import decimal_from_database, decimal_text, format_usd
from costtrack.models import BudgetAlert, DailyCostSummary, Organization, Severity
from costtrack.models.summaries import ORGANIZATION

DAYS = 28
LEAST_DAYS_WITH_COST = 14
SPREADS = Decimal("3.5")
"""Of the robust z-score: Iglewicz and Hoaglin, How to Detect and Handle Outliers (1993), advise 3.5."""
TO_DEVIATIONS = Decimal("1.4826")
"""The median absolute deviation times this is the standard deviation of a normal distribution."""
LEAST_SHARE = Decimal("0.25")
LEAST_USD = Decimal(1)
"""A day must lie by a quarter of the median and by a dollar above it, however alike the days were."""
_CENT = Decimal("0.01")
_CONTEXT = Context(prec=60, rounding=ROUND_HALF_EVEN)


class Usual(NamedTuple):
    """What a day usually costs, and from where on one is not usual, in USD."""

    median: Decimal
    limit: Decimal


def usual_cost(costs: Sequence[Decimal]) -> Usual | None:
    """What the days before say of one; None where fewer than 14 of them cost anything."""
    if sum(cost > 0 for cost in costs) < LEAST_DAYS_WITH_COST:
        return None
    middle = median(costs)
    spread = median([abs(cost - middle) for cost in costs])
    above = max(SPREADS * TO_DEVIATIONS * spread, LEAST_SHARE * middle, LEAST_USD)
    return Usual(middle, middle + above)


def anomalous_days(*, now: datetime, using: str) -> list[BudgetAlert]:
    """One finding per organization and local day, of today and yesterday (two queries per organization)."""
    found = []
    for organization in Organization.objects.using(using).filter(is_active=True).order_by("pk"):
        today = organization.zone_history().day_of(now)
        first = today - timedelta(days=DAYS + 1)
        rows = DailyCostSummary.objects.db_manager(using).at_grain(ORGANIZATION).filter(organization=organization)
        sums = rows.filter(day__gte=first, day__lte=today).values_list("day").annotate(cost=Sum("cost_usd"))
        costs = {day: decimal_from_database(cost) for day, cost in sums.order_by()}
        for day in (today - timedelta(days=1), today):
            before = [costs.get(day - timedelta(days=back), Decimal(0)) for back in range(1, DAYS + 1)]
            usual = usual_cost(before)
            cost = costs.get(day, Decimal(0))
            if usual is not None and cost > usual.limit:
                found.append(_finding(organization, day.isoformat(), cost, usual, now=now))
    return found


def _finding(organization: Organization, day: str, cost: Decimal, usual: Usual, *, now: datetime) -> BudgetAlert:
    times = _CONTEXT.divide(cost, usual.median).quantize(_CENT, context=_CONTEXT) if usual.median else None
    return BudgetAlert(
        kind=BudgetAlert.Kind.ANOMALY,
        organization=organization,
        key=day,
        severity=Severity.WARNING,
        message=f"{day} has cost {format_usd(cost)}"
        + (f", {times:f} times a usual day. " if times is not None else ". ")
        + f"Usual is {format_usd(usual.median)}, and up to {format_usd(usual.limit)} would be: the median of the "
        f"{DAYS} days before, and {SPREADS:f} times their robust deviation (1.4826 x the median absolute one), "
        "at least 25 % and $1 above it.",
        figures={
            "day": day,
            "cost": decimal_text(cost),
            "median": decimal_text(usual.median),
            "limit": decimal_text(usual.limit),
            "days": DAYS,
        },
        raised_at=now,
    )
