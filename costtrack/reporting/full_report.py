"""A cost report with all of its sections: agents, budgets, alerts, plans and the forecast besides the costs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

from costtrack.conf import settings
from costtrack.domain.periods import ZoneHistory
from costtrack.models import Agent, BudgetAlert, Organization, Project
from costtrack.reporting.budget_figures import BudgetState, BudgetStatus
from costtrack.reporting.budgets import budgets_within, standing_of
from costtrack.reporting.costs import top_agents
from costtrack.reporting.forecast import RANGES, ForecastPeriod, forecast_of
from costtrack.reporting.plan_line import plan_variances
from costtrack.reporting.report import CostReport, ReportAlert, ReportKind, ReportSections, cost_report

AGENTS_SHOWN = 10
BUDGETS_SHOWN = 20
SUBJECTS_SHOWN = 3
"""Of a budget that has a counter for each of something."""
ALERTS_SHOWN = 20
ORDER = (BudgetState.OVER, BudgetState.NEAR, BudgetState.OK, BudgetState.UNLIMITED)
FORETOLD = {
    ReportKind.DAILY: tuple(ForecastPeriod),
    ReportKind.WEEKLY: (ForecastPeriod.WEEK, ForecastPeriod.MONTH),
    ReportKind.MONTHLY: (ForecastPeriod.MONTH,),
}
"""The report's own period, and longer ones."""


def full_report(
    kind: ReportKind,
    day: date,
    *,
    zone: ZoneHistory,
    now: datetime,
    organization: Organization | None = None,
    organizations: Collection[Organization] | None = None,
    owner: Project | Agent | None = None,
) -> CostReport:
    """`cost_report` with its sections. Budgets stand as they do `now`; foretold is what is under way then."""
    report = cost_report(kind, day, zone=zone, organization=organization, organizations=organizations, owner=owner)
    within = organizations if organization is None else [organization]
    known = list(Organization.objects.using(settings.database).order_by("id")) if within is None else list(within)
    budgets, more_budgets = _budgets(known, owner=owner, now=now)
    alerts, more_alerts = _alerts(report, known, owner=owner)
    runs, more_runs = (None, 0) if owner is not None else plan_variances(within, report.period_start, report.period_end)
    sections = ReportSections(
        agents=top_agents(report.days, limit=AGENTS_SHOWN, organizations=within, owner=owner),
        budgets=budgets,
        more_budgets=more_budgets,
        alerts=alerts,
        more_alerts=more_alerts,
        plan_variances=None if runs is None else tuple(runs),
        more_runs=more_runs,
        forecasts=tuple(
            forecast_of(period, at=now, zone=zone, organizations=within, owner=owner)
            for period in FORETOLD[kind]
            if zone.day_of(now) in RANGES[period](report.days.start).days()
        ),
    )
    return replace(report, sections=sections)


def _budgets(
    organizations: Sequence[Organization], *, owner: Project | Agent | None, now: datetime
) -> tuple[tuple[BudgetStatus, ...], int]:
    """Those that are in force, the nearest to their limits first, and how many more there are."""
    rows = budgets_within(organizations, owner=owner).filter(is_active=True).order_by("id")
    found = standing_of(list(rows), now=now, limit=SUBJECTS_SHOWN)
    ordered = sorted(found, key=lambda one: (ORDER.index(one.state), -(one.percent or Decimal(0))))
    return tuple(ordered[:BUDGETS_SHOWN]), max(0, len(ordered) - BUDGETS_SHOWN)


def _alerts(
    report: CostReport, organizations: Sequence[Organization], *, owner: Project | Agent | None
) -> tuple[tuple[ReportAlert, ...], int]:
    """Those that were raised in the period, the newest first, and how many more there were."""
    rows = BudgetAlert.objects.using(settings.database).filter(
        raised_at__gte=report.period_start, raised_at__lt=report.period_end
    )
    if owner is not None:
        rows = rows.filter(budget__in=budgets_within(organizations, owner=owner))
    rows = rows.filter(organization__in=organizations)
    shown = tuple(
        ReportAlert(raised_at=row.raised_at, severity=row.severity, message=row.message, state=row.state)
        for row in rows.order_by("-raised_at", "id")[:ALERTS_SHOWN]
    )
    return shown, rows.count() - len(shown) if len(shown) == ALERTS_SHOWN else 0
