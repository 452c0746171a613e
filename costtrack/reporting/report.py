"""The daily, weekly and monthly cost report as a value; markdown, table and shapes render it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from costtrack.domain.periods import DayRange, ZoneHistory, day_range, month_range, week_range
from costtrack.models import Agent, Organization, Project
from costtrack.reporting.breakdown import Breakdown
from costtrack.reporting.budget_figures import BudgetStatus
from costtrack.reporting.costs import breakdown_of
from costtrack.reporting.figures import CostLine
from costtrack.reporting.forecast import PeriodForecast
from costtrack.reporting.variance import RunVariance


class ReportKind(StrEnum):
    """How long a period is."""

    DAILY = "daily"
    WEEKLY = "weekly"
    """From Monday to Sunday."""
    MONTHLY = "monthly"
    """A calendar month."""


RANGES = {ReportKind.DAILY: day_range, ReportKind.WEEKLY: week_range, ReportKind.MONTHLY: month_range}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportAlert:
    """An alert that was raised in the period."""

    raised_at: datetime
    severity: str
    message: str
    state: str
    """`open`, `acknowledged` or `resolved`, now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSections:
    """What a whole report tells besides the costs; `full_report` reads it."""

    agents: tuple[CostLine, ...]
    """The dearest, named `organization/project/agent`; "" is usage without an agent."""
    budgets: tuple[BudgetStatus, ...]
    """As they stand now, the nearest to their limits first."""
    more_budgets: int = 0
    alerts: tuple[ReportAlert, ...]
    """The newest first."""
    more_alerts: int = 0
    plan_variances: tuple[RunVariance, ...] | None
    """Runs with a plan that began in the period, the newest first; None where they are not for the reader's eyes."""
    more_runs: int = 0
    forecasts: tuple[PeriodForecast, ...]
    """Of the report's period and longer ones that hold it, as far as they are under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostReport:
    """What a period cost, in total, by model and by endpoint.

    Of all organizations together it holds each one's own local days; its instants are then those of one zone only.
    """

    kind: ReportKind
    days: DayRange
    period_start: datetime
    """The period's first instant, with the reporting zone's offset; take both to UTC to subtract them."""
    period_end: datetime
    """The first instant after the period, likewise."""
    organization: str
    """A slug; "" means several organizations, or all."""
    breakdown: Breakdown
    sections: ReportSections | None = None
    """None: the costs alone."""

    @property
    def title(self) -> str:
        """For example `Daily Cost Report - 2023-11-16`; a week is named by its Monday, a month as 2023-11."""
        name = f"{self.days.start:%Y-%m}" if self.kind is ReportKind.MONTHLY else self.days.start.isoformat()
        return f"{self.kind.capitalize()} Cost Report - {name}"


def cost_report(
    kind: ReportKind,
    day: date,
    *,
    zone: ZoneHistory,
    organization: Organization | None = None,
    organizations: Collection[Organization] | None = None,
    owner: Project | Agent | None = None,
) -> CostReport:
    """The report of the period that holds `day`, of one organization, of several, or of all (one query).

    `owner` narrows it to one project or agent.
    """
    days = RANGES[kind](day)
    within = organizations if organization is None else [organization]
    return CostReport(
        kind=kind,
        days=days,
        period_start=zone.start_of(days.start),
        period_end=zone.start_of(days.end),
        organization="" if organization is None else organization.slug,
        breakdown=breakdown_of(days, organizations=within, owner=owner),
    )
