"""What a scope will have cost by the end of the day, week or month that is under way, with a range and how it is made.

The days before come from the summaries, and what they had cost by this time of the day from the last four weeks of the
ledger.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.core.cache import cache
from django.core.exceptions import EmptyResultSet
from django.db.models import Q, QuerySet, Sum
from django.utils import timezone

from costtrack.domain.forecast import CLOCK_DAYS, forecast_end
from costtrack.domain.habits import DAYS_KNOWN
from costtrack.domain.money import EXACT, decimal_from_database
from costtrack.domain.periods import DayRange, ZoneHistory, day_range, month_range, week_range
from costtrack.models import Agent, Organization, Project
from costtrack.models.summaries import PROJECT
from costtrack.reporting.costs import summaries_of
from costtrack.reporting.figures import ROUNDING
from costtrack.reporting.ledger_rows import ledger_rows_by_index
from costtrack.reporting.named import organization_named
from costtrack.reporting.zones import reporting_zone

QUARTER = timedelta(minutes=15)
ByNow = tuple[Decimal | None, tuple[Decimal, ...]]
"""How much of a day's cost is usually spent by some time of it, from 0 to 1, and what each day had cost by then; None
and nothing where the ledger has no costs."""
Narrow = Callable[[QuerySet[Any]], QuerySet[Any]]
"""Leaves the summaries of a scope, and likewise the rows of the ledger: their columns have the same names."""


class ForecastPeriod(StrEnum):
    """To whose end."""

    DAY = "day"
    WEEK = "week"
    """From Monday to Sunday."""
    MONTH = "month"


RANGES = {ForecastPeriod.DAY: day_range, ForecastPeriod.WEEK: week_range, ForecastPeriod.MONTH: month_range}


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodForecast:
    """A forecast with its period. Of expected, low and high all are None, or none is."""

    period: ForecastPeriod
    days: DayRange
    period_start: datetime
    period_end: datetime
    """Exclusive."""
    spent: Decimal
    """In the period so far, as far as it has a price."""
    expected: Decimal | None
    """By the period's end, what is spent included. None: not enough data."""
    low: Decimal | None
    """With `high`, where four of five periods should end."""
    high: Decimal | None
    method: str
    """How the forecast is made, in words; or why there is none."""
    enough_data: bool
    complete_days: int
    """Of history, up to yesterday: since the first usage of the last eight weeks."""
    unpriced_calls: int
    """In the period so far; neither `spent` nor the forecast knows their cost."""


def forecast(
    organization: Organization | str | None,
    *,
    organizations: Collection[Organization] | None = None,
    project: Project | None = None,
    agent: Agent | None = None,
    period: ForecastPeriod | str = ForecastPeriod.MONTH,
    at: datetime | None = None,
) -> PeriodForecast:
    """Where the period that `at` (now) is in will end, for an organization, or one project or agent of it.

    Without an organization that is all of `organizations` together, which are all there are unless said otherwise. Of
    the day that `at` is in all counts that is recorded. Three queries, and one for a slug. Raises ValueError for
    another period, and UnknownOrganization.
    """
    one = None if organization is None else organization_named(organization)
    within = organizations if one is None else [one]
    zone = reporting_zone(one, among=None if one else organizations)
    return forecast_of(
        ForecastPeriod(period), at=at or timezone.now(), zone=zone, organizations=within, owner=agent or project
    )


def forecast_of(
    period: ForecastPeriod,
    *,
    at: datetime,
    zone: ZoneHistory,
    organizations: Collection[Organization] | None = None,
    owner: Project | Agent | None = None,
    grain: str = PROJECT,
    narrow: Narrow | None = None,
) -> PeriodForecast:
    """The same of what `narrow` leaves, which is of these organizations and this owner.

    `grain` is `grain_of` what it narrows by. The time of day is taken to a quarter of an hour: who asks again within it
    gets the same answer, if nothing was spent.
    """
    today = zone.day_of(at)
    days = RANGES[period](today)
    span = DayRange(min(days.start, today - timedelta(days=DAYS_KNOWN)), today + timedelta(days=1))
    rows = summaries_of(span, organizations=organizations, owner=owner, grain=grain)
    costs, unpriced = _daily(narrow(rows) if narrow else rows)
    history = _history(costs, before=today)
    passed = (at.astimezone(UTC) - _midnight(today, zone)) // QUARTER * QUARTER
    by_clock = _part_of_day(passed, today, zone)
    usual_share, by_now = _spent_by_now(
        passed, today=today, zone=zone, organizations=organizations, owner=owner, narrow=narrow
    )
    foretold = forecast_end(
        history,
        start=days.start,
        today=today,
        end=days.end,
        spent_before=_total(cost for day, cost in costs.items() if days.start <= day < today),
        spent_today=costs.get(today, Decimal(0)),
        passed=by_clock,
        share=by_clock if usual_share is None else usual_share,
        by_now=by_now,
    )
    return PeriodForecast(
        period=period,
        days=days,
        period_start=zone.start_of(days.start),
        period_end=zone.start_of(days.end),
        spent=foretold.spent,
        expected=foretold.expected,
        low=foretold.low,
        high=foretold.high,
        method=foretold.method,
        enough_data=foretold.enough_data,
        complete_days=len(history),
        unpriced_calls=sum(calls for day, calls in unpriced.items() if day >= days.start),
    )


def _daily(rows: QuerySet[Any]) -> tuple[dict[date, Decimal], dict[date, int]]:
    """What each day with usage cost, and how many of its calls have no price."""
    sums = rows.values("day").annotate(cost=Sum("cost_usd"), unpriced=Sum("unpriced_calls")).order_by("day")
    found = [(row["day"], decimal_from_database(row["cost"]), int(row["unpriced"])) for row in sums]
    return {day: cost for day, cost, _ in found}, {day: calls for day, _, calls in found}


def _history(costs: dict[date, Decimal], *, before: date) -> list[Decimal]:
    """The cost of every day from the first usage up to yesterday, at most DAYS_KNOWN; days without usage are 0."""
    earliest = before - timedelta(days=DAYS_KNOWN)
    first = min((day for day in costs if earliest <= day < before), default=before)
    return [costs.get(day, Decimal(0)) for day in DayRange(first, before).days()]


def _spent_by_now(
    passed: timedelta,
    *,
    today: date,
    zone: ZoneHistory,
    organizations: Collection[Organization] | None,
    owner: Project | Agent | None,
    narrow: Narrow | None,
) -> ByNow:
    """The same so long after midnight, of the last CLOCK_DAYS days.

    The days are over, and there may be millions of calls in them, so it is kept in the cache for a quarter of an hour.
    """
    days = DayRange(today - timedelta(days=CLOCK_DAYS), today)
    rows = ledger_rows_by_index(organizations=organizations, owner=owner)
    rows = rows.filter(day__gte=days.start, day__lt=days.end)
    is_before = Q()
    for day in days.days():
        is_before |= Q(day=day, occurred_at__lt=_midnight(day, zone) + passed)
    asked = (narrow(rows) if narrow else rows).order_by()
    key = _key_of(asked, passed)
    kept: ByNow | None = None if key is None else cache.get(key)
    if kept is not None:
        return kept
    sums = asked.values("day").annotate(before=Sum("cost_usd", filter=is_before), whole=Sum("cost_usd"))
    known = {row["day"]: (decimal_from_database(row["before"]), decimal_from_database(row["whole"])) for row in sums}
    before, whole = (_total(day[part] for day in known.values()) for part in (0, 1))
    found: ByNow = (None, ())
    if whole > 0:
        share = min(Decimal(1), max(Decimal(0), ROUNDING.divide(before, whole)))
        found = share, tuple(known.get(day, (Decimal(0),))[0] for day in days.days())
    if key is not None:
        cache.set(key, found, QUARTER.total_seconds())
    return found


def _key_of(rows: QuerySet[Any], passed: timedelta) -> str | None:
    """What the sums of these rows are kept by; None where nothing is asked for."""
    try:
        statement, parameters = rows.query.sql_with_params()
    except EmptyResultSet:
        return None
    told = hashlib.sha256(f"{statement} {parameters} {passed}".encode()).hexdigest()
    return f"costtrack-spent-by-now-{told}"


def _part_of_day(passed: timedelta, day: date, zone: ZoneHistory) -> Decimal:
    length = _midnight(day + timedelta(days=1), zone) - _midnight(day, zone)
    return ROUNDING.divide(Decimal(passed // passed.resolution), Decimal(length // length.resolution))


def _midnight(day: date, zone: ZoneHistory) -> datetime:
    """In UTC: instants of one zone would be subtracted by its clock, which leaps."""
    return zone.start_of(day).astimezone(UTC)


def _total(costs: Iterable[Decimal]) -> Decimal:
    total = Decimal(0)
    for cost in costs:
        total = EXACT.add(total, cost)
    return total
