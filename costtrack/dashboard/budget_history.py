"""How a budget went through its running period, what the ones before came to, and who changed it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Sum
from django.utils.safestring import SafeString

from costtrack.conf import settings
from costtrack.dashboard.charts.bars import share_bar
from costtrack.dashboard.charts.pace import PaceChart
from costtrack.dashboard.periods import short_day
from costtrack.dashboard.words import NONE, instant_words, quantity, share_text
from costtrack.domain.budget_periods import BudgetPeriod
from costtrack.domain.money import decimal_from_database
from costtrack.domain.periods import DayRange, ZoneHistory
from costtrack.models import Budget, BudgetChange, BudgetCounter, DailyCostSummary
from costtrack.models.summaries import AGENT_DIMENSIONS, coarsest_grain
from costtrack.reporting.budget_figures import BudgetStatus

PERIODS_SHOWN = 12
CHANGES_SHOWN = 20
SUMMED = {
    "cost_usd": ("cost_usd",),
    "calls": ("calls",),
    "tokens": ("input_tokens", "output_tokens"),
    "amount": ("amount",),
}
"""By the metric the columns of the summaries that it adds up."""
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PastPeriod:
    """What one period came to."""

    start: str
    spent: str
    share: str
    bar: SafeString


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeLine:
    """What somebody changed."""

    at: str
    by: str
    what: str
    note: str


def pace_of(budget: Budget, status: BudgetStatus, *, zone: ZoneHistory, now: datetime) -> PaceChart | None:
    """The running week or month day by day, from the summaries (one query).

    None for other periods, without a limit, and where the summaries do not tell the budget's usage apart: a model also
    means its dated versions, and threads, runs, entities and customers are in the ledger only.
    """
    scope = budget.scope
    if status.period not in (BudgetPeriod.WEEK, BudgetPeriod.MONTH) or not status.limit or status.resets_at is None:
        return None
    if not set(scope) <= set(AGENT_DIMENSIONS) - {"model"}:
        return None
    days = DayRange(zone.day_of(status.period_start), zone.day_of(status.resets_at))
    so_far = DayRange(days.start, zone.next_midnight(now).date())
    grain = coarsest_grain(["organization_id", *scope])
    rows = DailyCostSummary.objects.db_manager(settings.database).at_grain(grain)
    rows = rows.filter(organization=budget.organization_id, day__gte=so_far.start, day__lt=so_far.end, **scope)
    columns = SUMMED[status.metric]
    names = [f"sum_{name}" for name in columns]
    sums = rows.order_by().values_list("day").annotate(**{f"sum_{name}": Sum(name) for name in columns})
    found = {day: sum(map(decimal_from_database, parts), ZERO) for day, *parts in sums.values_list("day", *names)}
    return PaceChart(
        id="ct-pace",
        title=f"{quantity(status.spent, status.metric)} of {quantity(status.limit, status.metric)} spent so far",
        days=[short_day(day) for day in days.days()],
        spent=[found.get(day, ZERO) for day in so_far.days()],
        limit=status.limit,
        forecast=status.forecast,
        written=lambda value: quantity(value, status.metric),
    )


def past_periods(budget: Budget, *, zone: ZoneHistory, now: datetime) -> list[PastPeriod]:
    """The last periods of which there still is a counter, the newest first (one query)."""
    rows = BudgetCounter.objects.using(settings.database).filter(budget=budget, subject="", period_end__lte=now)
    counters = list(rows.order_by("-period_start")[:PERIODS_SHOWN])
    longest = max([*(counter.spent for counter in counters), budget.limit or ZERO], default=ZERO)
    found = []
    for counter in counters:
        start = instant_words(counter.period_start, zone=zone).removesuffix(", 00:00")
        share = NONE if not budget.limit else share_text(counter.spent, budget.limit)
        is_over = budget.limit is not None and counter.spent >= budget.limit
        spent = quantity(counter.spent, budget.metric)
        bar = share_bar(
            counter.spent,
            of=longest,
            title=f"{start}: {spent}, {share} of the present limit",
            class_="ct-over" if is_over else "ct-ok",
        )
        found.append(PastPeriod(start=start, spent=spent, share=share, bar=bar))
    return found


def change_lines(budget: Budget, *, zone: ZoneHistory) -> list[ChangeLine]:
    """The last changes, the newest first (one query)."""
    rows = BudgetChange.objects.using(settings.database).filter(budget=budget).select_related("changed_by")
    return [
        ChangeLine(
            at=instant_words(change.changed_at, zone=zone),
            by=change.changed_by.get_username() if change.changed_by else "a command",
            what=_what(change),
            note=change.note,
        )
        for change in rows.order_by("-id")[:CHANGES_SHOWN]
    ]


def _what(change: BudgetChange) -> str:
    """`limit: 100 to 120`; of a new budget that it was made."""
    if not change.before:
        return "made"
    return ", ".join(f"{name}: {change.before.get(name)} to {value}" for name, value in change.after.items())
