"""What the pages of costs read: the summaries of a scope, filtered, and what they are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet, Value
from django.db.models.lookups import Exact

from costtrack.dashboard.periods import ShownPeriod
from costtrack.domain.periods import DayRange, ZoneHistory, next_month
from costtrack.models import Agent, Organization, Project
from costtrack.reporting.costs import summaries_of
from costtrack.reporting.figures import Figures, add_up
from costtrack.reporting.forecast import ForecastPeriod, PeriodForecast, forecast_of
from costtrack.reporting.summary import Granularity, Summary, SummaryQuestion, cost_summary, period_before
from costtrack.reporting.summary_query import GROUPED_BY

ONE_DAY = timedelta(days=1)
FILTERS = ("provider", "model", "endpoint", "resource_type", "sprint", "workflow")
"""What costs can be filtered by, besides their organization, project and agent."""
TOP = 9
"""So many groups have a colour; the others are one."""
TILE_FIGURES = (
    "cost",
    "calls",
    "errors",
    "unpriced_calls",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "saving",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CostScope:
    """Whose costs, and which of them."""

    organizations: Sequence[Organization] | None
    """None: all that there are."""
    owner: Project | Agent | None
    filters: Mapping[str, str]
    """By names of FILTERS, the text that groups show."""

    def rows(self, days: DayRange, *, group_by: Sequence[str] = ()) -> QuerySet[Any]:
        """The summaries, told by what they are grouped and filtered by."""
        told_by = [*group_by, *self.filters]
        return self.filtered(summaries_of(days, by=told_by, organizations=self.organizations, owner=self.owner))

    def filtered(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Those of `rows` that the filters let through; they are told by these."""
        for name, value in self.filters.items():
            rows = rows.filter(Exact(GROUPED_BY[name], Value(value)))
        return rows

    def forecast(self, *, at: datetime, zone: ZoneHistory) -> PeriodForecast:
        """Where the month that `at` is in will end (two queries, or three)."""
        return forecast_of(
            ForecastPeriod.MONTH,
            at=at,
            zone=zone,
            organizations=self.organizations,
            owner=self.owner,
            told_by=list(self.filters),
            narrow=self.filtered,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthToDate:
    """This month so far, and the same days of the last one."""

    figures: Figures
    before: Figures
    last_days: Sequence[Figures]
    """Of each of the last 30 days."""


def compared_with(period: ShownPeriod, *, today: date) -> DayRange:
    """The days that a period is compared with: those of a month so far with the same days of the last one."""
    return same_days_last_month(today) if period.name == "mtd" else period_before(period.days)


def same_days_last_month(today: date) -> DayRange:
    """From the last month's first day on as many days as this month has had; at most all of it."""
    this = today.replace(day=1)
    first = (this - ONE_DAY).replace(day=1)
    return DayRange(first, min(first + (today + ONE_DAY - this), this))


def grouped_costs(
    scope: CostScope,
    dimension: str,
    period: ShownPeriod,
    *,
    before: DayRange,
    is_charted: bool = False,
    limit: int = TOP,
) -> Summary:
    """The dearest groups of a dimension, the others together, each beside what it cost before (one query)."""
    question = SummaryQuestion(
        days=period.days,
        group_by=(dimension,),
        granularity=period.granularity if is_charted else None,
        previous=DayRange(before.start, period.days.start),
        limit=limit,
        figures=TILE_FIGURES if is_charted else ("cost", "calls", "unpriced_calls"),
    )
    rows = scope.rows(question.span, group_by=question.group_by)
    # The days between the two are of neither.
    return cost_summary(question, rows.filter(Q(day__lt=before.end) | Q(day__gte=period.days.start)))


def month_to_date(scope: CostScope, *, today: date) -> MonthToDate:
    """The figures of the first tiles (one query)."""
    before = same_days_last_month(today)
    days = DayRange(min(before.start, today - 29 * ONE_DAY), today + ONE_DAY)
    question = SummaryQuestion(days=days, granularity=Granularity.DAY, figures=("cost",))
    daily = cost_summary(question, scope.rows(days)).total.parts

    def of(part: DayRange) -> Figures:
        return add_up(daily[(part.start - days.start).days : (part.end - days.start).days])

    return MonthToDate(
        figures=of(DayRange(today.replace(day=1), today + ONE_DAY)), before=of(before), last_days=daily[-30:]
    )


def days_in_month(day: date) -> int:
    """How many days the month of that day has."""
    return (next_month(day.replace(day=1)) - day.replace(day=1)).days
