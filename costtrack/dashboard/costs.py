"""The pages of costs: everything that one may look at, one organization, one project, one agent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any, ClassVar

from costtrack.dashboard.addresses import Choice, address, choices
from costtrack.dashboard.budget_cards import BudgetCard, budget_cards, most_used_first, organization_zones
from costtrack.dashboard.charts.stacked_bars import Level
from costtrack.dashboard.cost_rows import (
    FILTERS,
    CostScope,
    compared_with,
    days_in_month,
    grouped_costs,
    month_to_date,
)
from costtrack.dashboard.cost_tables import LABELS, CostTable, cost_chart, cost_table
from costtrack.dashboard.exports import export_links
from costtrack.dashboard.pages import Page
from costtrack.dashboard.periods import NAMED, PARAMETERS, ShownPeriod, asked_period
from costtrack.dashboard.tiles import cost_tiles, range_text
from costtrack.domain.periods import DayRange, next_month
from costtrack.models import Agent, Project
from costtrack.reporting.budget_figures import BudgetStatus
from costtrack.reporting.budgets import budgets_within, standing_of
from costtrack.reporting.forecast import PeriodForecast
from costtrack.reporting.parameters import InvalidParameter, parse_text
from costtrack.reporting.summary import Granularity
from costtrack.reporting.wording import one_line, usd_text

BUDGETS_READ = 40
"""The budgets that are looked at for the ones to show; more than that have a page of their own."""
BUDGETS_SHOWN = 4
ROWS_SHOWN = 8


class CostPage(Page):
    """A page of costs."""

    parameters = (*PARAMETERS, "group_by", *FILTERS)
    is_live = True
    template_name = "costtrack/dashboard/costs.html"
    dimensions: ClassVar[Sequence[str]] = ("model", "project", "agent", "provider", "endpoint")
    """What costs can be grouped by; the first one is meant where none is asked for."""
    tables: ClassVar[Sequence[str]] = ("project", "agent", "model")
    """The dimensions that have a table of their own, besides the one of the chart."""

    @property
    def owner(self) -> Project | Agent | None:
        """Whose costs, within an organization."""
        return None

    @property
    def title(self) -> str:
        """The organization's name, or that it is all of them."""
        return "All organizations" if self.organization is None else one_line(str(self.organization))

    @cached_property
    def period(self) -> ShownPeriod:
        """The days that are asked for."""
        return asked_period(self.given, today=self.today)

    @cached_property
    def scope(self) -> CostScope:
        """Whose costs, filtered."""
        filters = {name: parse_text(name, self.given[name]) for name in FILTERS if name in self.given}
        return CostScope(organizations=self.summed_organizations, owner=self.owner, filters=filters)

    @cached_property
    def group_by(self) -> str:
        """The dimension of the chart."""
        known = self.known_dimensions
        asked = self.given.get("group_by", known[0])
        if asked not in known:
            where = "; the others on the page of one organization" if asked in self.dimensions else ""
            raise InvalidParameter("group_by", asked, f"one of {', '.join(known)}{where}")
        return asked

    @property
    def known_dimensions(self) -> Sequence[str]:
        """With organizations where there are several; of many without what each has many of."""
        if self.has_many_organizations:
            return ("model", "provider", "organization")
        return (*self.dimensions, *(["organization"] if len(self.organizations) > 1 else []))

    @property
    def shown_tables(self) -> Sequence[str]:
        """Of several organizations these come first: the agents of all are many, and say little without them."""
        if self.has_many_organizations:
            return ("organization", "provider", "model")
        return ("organization", "project", "model") if len(self.organizations) > 1 else self.tables

    def content(self) -> dict[str, Any]:
        """Tiles, chart, tables, budgets."""
        period, before = self.period, compared_with(self.period, today=self.today)
        summary = grouped_costs(self.scope, self.group_by, period, before=before, is_charted=True)
        month = month_to_date(self.scope, today=self.today)
        found = self.scope.forecast(at=self.now, zone=self.zone)
        statuses, cards = self._budgets()
        level = self._level(statuses)
        coming, coming_value = self._coming(found)
        chart = cost_chart(
            summary,
            period=period,
            organizations=self.organizations,
            level=level,
            coming=coming,
            coming_value=coming_value,
        )
        query = self.period.query
        slug = None if self.organization is None else self.organization.slug
        return {
            "period": period,
            "period_choices": self._period_choices(),
            "before": range_text(before),
            "tiles": cost_tiles(
                summary=summary, period=period, before=before, month=month, forecast=found, today=self.today, slug=slug
            ),
            "chart": chart,
            "group_label": LABELS[self.group_by],
            "group_choices": choices(
                self.here, "group_by", {name: LABELS[name] for name in self.known_dimensions}, current=self.group_by
            ),
            "main_table": cost_table(summary, here=self.here, organizations=self.organizations, query=query),
            "tables": self._tables(before, query),
            "filters": [
                (LABELS[name], value, self.here.changed(**{name: None})) for name, value in self.scope.filters.items()
            ],
            "budgets": cards,
            "budgets_href": address("budgets", organization=slug),
            "exports": self._exports(),
            "is_empty": not any(one.calls for one in (summary.total.figures, month.figures, *month.last_days)),
        }

    def _tables(self, before: DayRange, query: Mapping[str, str]) -> list[CostTable]:
        found = []
        for dimension in self.shown_tables:
            if dimension != self.group_by:
                summary = grouped_costs(self.scope, dimension, self.period, before=before, limit=ROWS_SHOWN)
                found.append(cost_table(summary, here=self.here, organizations=self.organizations, query=query))
        return found

    def _budgets(self) -> tuple[list[BudgetStatus], list[BudgetCard]]:
        """How those within this scope stand, and the ones to look at first."""
        rows = budgets_within(self.organizations, owner=self.owner).filter(is_active=True, per="", limit__isnull=False)
        budgets = list(rows.order_by("id")[:BUDGETS_READ])
        statuses = list(standing_of(budgets, now=self.minute))
        shown = most_used_first(statuses)[:BUDGETS_SHOWN]
        zones = organization_zones(budgets) if self.organization is None else {}
        return statuses, budget_cards(shown, now=self.minute, zones=zones, zone=self.zone)

    def _level(self, statuses: Sequence[BudgetStatus]) -> Level | None:
        """What a budget of exactly this scope lets a day cost."""
        if self.scope.filters or self.organization is None or self.period.granularity is not Granularity.DAY:
            return None
        lengths = {"day": 1, "week": 7, "month": days_in_month(self.today)}
        wanted = self._scope_of_owner()
        for status in statuses:
            is_of_this = dict(status.scope) == wanted and status.metric == "cost_usd"
            if is_of_this and status.limit and status.period in lengths:
                value = status.limit / lengths[status.period]
                return Level(name=f"{one_line(status.budget)}: {usd_text(value)} a day", value=value)
        return None

    def _scope_of_owner(self) -> dict[str, object]:
        owner = self.owner
        if isinstance(owner, Agent):
            return {"project": owner.project.slug, "agent": owner.slug}
        return {} if owner is None else {"project": owner.slug}

    def _coming(self, found: PeriodForecast) -> tuple[DayRange | None, Decimal]:
        """The days of this month that are still to come, and what each is expected to cost."""
        tomorrow, end = self.today + timedelta(days=1), next_month(self.today)
        if self.period.name != "mtd" or found.expected is None or tomorrow >= end:
            return None, Decimal(0)
        rest = max(found.expected - found.spent, Decimal(0))
        return DayRange(tomorrow, end), rest / (end - tomorrow).days

    def _period_choices(self) -> list[Choice]:
        labels = {name: label for name, (label, _) in NAMED.items()}
        return choices(self.here, "period", labels, current=self.period.name, **{"from": None, "through": None})

    def _exports(self) -> Sequence[Any]:
        owner = self.owner
        path = None
        if isinstance(owner, Agent):
            path = f"{owner.project.organization.slug}/{owner.project.slug}/{owner.slug}"
        elif owner is not None:
            path = f"{owner.organization.slug}/{owner.slug}"
        return export_links(
            "summary",
            {
                "from": self.period.days.start.isoformat(),
                "to": self.period.days.end.isoformat(),
                "group_by": self.group_by,
                "granularity": self.period.granularity.value,
                "organization": None if self.organization is None else self.organization.slug,
                **({} if path is None else {"agent" if isinstance(owner, Agent) else "project": path}),
                **self.scope.filters,
            },
        )


class OverviewPage(CostPage):
    """What everything costs, or one organization."""

    name = "overview"

    @property
    def parents(self) -> list[tuple[str, str]]:
        """All of them, where one of several is shown."""
        if self.organization is None or len(self.granted) == 1:
            return []
        return [("All organizations", address("overview", **self.period.query))]
