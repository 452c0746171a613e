"""What a scope will have cost by the end of the day, week or month that is under way, with a range and how it is made.

The days before come from the summaries, and what they had cost by this time of the day from the last four weeks of the
ledger.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from django.db.models import QuerySet, Sum
from django.utils import timezone

from costtrack.domain.forecast import forecast_end
from costtrack.domain.habits import DAYS_KNOWN
from costtrack.domain.money import decimal_from_database, exact_sum
from costtrack.domain.periods import DayRange, ZoneHistory, day_range, month_range, week_range
from costtrack.models import Agent, Organization, Project
from costtrack.reporting.costs import summaries_of
from costtrack.reporting.figures import ROUNDING
from costtrack.reporting.named import organization_named
from costtrack.reporting.parameters import InvalidParameter
from costtrack.reporting.spent_by_now import QUARTER, Narrow, midnight, spent_by_now
from costtrack.reporting.zones import reporting_zone


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
    the day that `at` is in all counts that is recorded. Three queries, and one for a slug. Raises InvalidParameter (a
    ValueError) for another period, and UnknownOrganization.
    """
    whole = forecast_period(period)
    one = None if organization is None else organization_named(organization)
    within = organizations if one is None else [one]
    zone = reporting_zone(one, among=None if one else organizations)
    return forecast_of(whole, at=at or timezone.now(), zone=zone, organizations=within, owner=agent or project)


def forecast_period(text: str) -> ForecastPeriod:
    """The period of that name. Raises InvalidParameter."""
    if text not in tuple(ForecastPeriod):
        raise InvalidParameter("period", text, "day, week or month")
    return ForecastPeriod(text)


def forecast_of(
    period: ForecastPeriod,
    *,
    at: datetime,
    zone: ZoneHistory,
    organizations: Collection[Organization] | None = None,
    owner: Project | Agent | None = None,
    told_by: Collection[str] = (),
    narrow: Narrow | None = None,
) -> PeriodForecast:
    """The same of what `narrow` leaves, which is of these organizations and this owner.

    `told_by` names the dimensions that it narrows by. The time of day is taken to a quarter of an hour: who asks again
    within it gets the same answer, if nothing was spent.
    """
    today = zone.day_of(at)
    days = RANGES[period](today)
    span = DayRange(min(days.start, today - timedelta(days=DAYS_KNOWN)), today + timedelta(days=1))
    rows = summaries_of(span, by=told_by, organizations=organizations, owner=owner)
    daily = _daily(narrow(rows) if narrow else rows)
    costs = {day: one.cost for day, one in daily.items()}
    history = _history(costs, before=today)
    passed = (at.astimezone(UTC) - midnight(today, zone)) // QUARTER * QUARTER
    by_clock = _part_of_day(passed, today, zone)
    usual_share, by_now = spent_by_now(
        passed,
        today=today,
        zone=zone,
        organizations=organizations,
        owner=owner,
        narrow=narrow,
        calls=None if owner or told_by else {day: one.calls for day, one in daily.items()},
    )
    foretold = forecast_end(
        history,
        start=days.start,
        today=today,
        end=days.end,
        spent_before=exact_sum(cost for day, cost in costs.items() if days.start <= day < today),
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
        unpriced_calls=sum(one.unpriced_calls for day, one in daily.items() if day >= days.start),
    )


class _Day(NamedTuple):
    cost: Decimal
    calls: int
    unpriced_calls: int


def _daily(rows: QuerySet[Any]) -> dict[date, _Day]:
    """What each day with usage comes to."""
    sums = {f"sum_{name}": Sum(name) for name in ("cost_usd", "calls", "unpriced_calls")}
    days = rows.values_list("day").annotate(**sums).order_by("day")
    return {day: _Day(decimal_from_database(cost), int(calls), int(unpriced)) for day, cost, calls, unpriced in days}


def _history(costs: dict[date, Decimal], *, before: date) -> list[Decimal]:
    """The cost of every day from the first usage up to yesterday, at most DAYS_KNOWN; days without usage are 0."""
    earliest = before - timedelta(days=DAYS_KNOWN)
    first = min((day for day in costs if earliest <= day < before), default=before)
    return [costs.get(day, Decimal(0)) for day in DayRange(first, before).days()]


def _part_of_day(passed: timedelta, day: date, zone: ZoneHistory) -> Decimal:
    length = midnight(day + timedelta(days=1), zone) - midnight(day, zone)
    return ROUNDING.divide(Decimal(passed // passed.resolution), Decimal(length // length.resolution))
