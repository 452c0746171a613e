"""What the demo has cost, read back from the books, as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import Max, Min, Sum

from costtrack.conf import settings
from costtrack.domain.money import decimal_text
from costtrack.domain.periods import DayRange
from costtrack.management.arguments import aligned
from costtrack.management.demo.world import demo_organizations
from costtrack.models import DailyCostSummary, Organization
from costtrack.reporting.costs import costs_by, top_agents, totals, trend
from costtrack.reporting.figures import CostLine, Figures
from costtrack.reporting.markdown import markdown_report
from costtrack.reporting.report import ReportKind, cost_report
from costtrack.reporting.wording import one_line, usd_text

AGENTS_SHOWN = 8
DAYS_LOOKED_AT = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpricedModel:
    """A model that was used without a known price."""

    organization: str
    provider: str
    model: str
    calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoFigures:
    """All figures of the demo's organizations."""

    organizations: tuple[Organization, ...]
    days: DayRange
    whole: Figures
    by_organization: tuple[CostLine, ...]
    agents: tuple[CostLine, ...]
    unpriced: tuple[UnpricedModel, ...]


def demo_figures() -> DemoFigures | None:
    """The figures, or None where no usage of the demo is booked."""
    organizations = tuple(demo_organizations(using=settings.database))
    rows = DailyCostSummary.objects.using(settings.database).filter(organization__in=organizations)
    edges = rows.aggregate(first=Min("day"), last=Max("day"))
    if edges["first"] is None:
        return None
    days = DayRange(edges["first"], edges["last"] + timedelta(days=1))
    unpriced = (
        rows.values("organization__slug", "provider", "model")
        .annotate(sum_unpriced=Sum("unpriced_calls"))
        .filter(sum_unpriced__gt=0)
        .order_by("-sum_unpriced", "model")
    )
    return DemoFigures(
        organizations=organizations,
        days=days,
        whole=totals(days, organizations=organizations),
        by_organization=costs_by("organization", days, organizations=organizations),
        agents=top_agents(days, limit=AGENTS_SHOWN, organizations=organizations),
        unpriced=tuple(
            UnpricedModel(
                organization=row["organization__slug"],
                provider=row["provider"],
                model=row["model"],
                calls=row["sum_unpriced"],
            )
            for row in unpriced
        ),
    )


def daily_report(figures: DemoFigures, *, today: date) -> str:
    """The Markdown report of the dearest of the last seven whole days, of the organization that costs most."""
    dearest = figures.by_organization[0].name
    organization = next(one for one in figures.organizations if one.slug == dearest)
    days = DayRange(today - timedelta(days=DAYS_LOOKED_AT), today)
    day = max(trend(days, organizations=[organization]), key=lambda one: (one.figures.cost_usd, one.day))
    chosen = day.day if day.figures.calls else today
    report = cost_report(ReportKind.DAILY, chosen, zone=organization.zone_history(), organization=organization)
    return markdown_report(report)


def agents_table(figures: DemoFigures) -> str:
    """The agents that cost most, in all days."""
    return _table("Top agents", figures.agents)


def organizations_table(figures: DemoFigures) -> str:
    """What each organization cost in all days, and both together."""
    return _table("Organization", (*figures.by_organization, CostLine("total", figures.whole)))


def _table(heading: str, lines: Sequence[CostLine]) -> str:
    rows: list[Sequence[str]] = [(heading, "Cost", "Calls", "Failed", "Unpriced", "Tokens")]
    for line in lines:
        of_line = line.figures
        counts = (of_line.calls, of_line.errors, of_line.unpriced_calls, of_line.total_tokens)
        rows.append((one_line(line.name), usd_text(of_line.known_cost_usd), *(f"{count:,}" for count in counts)))
    return aligned(rows, numbers=frozenset(range(1, 6)))


def figures_object(figures: DemoFigures) -> dict[str, Any]:
    """The figures for `--json`; money is a string, exact."""
    return {
        "first_day": figures.days.start.isoformat(),
        "last_day": (figures.days.end - timedelta(days=1)).isoformat(),
        **_of_figures(figures.whole),
        "organizations": [{"organization": line.name, **_of_figures(line.figures)} for line in figures.by_organization],
        "top_agents": [{"agent": line.name, **_of_figures(line.figures)} for line in figures.agents],
        "unpriced": [
            {"organization": one.organization, "provider": one.provider, "model": one.model, "calls": one.calls}
            for one in figures.unpriced
        ],
    }


def _of_figures(figures: Figures) -> dict[str, Any]:
    return {
        "cost_usd": decimal_text(figures.cost_usd),
        "calls": figures.calls,
        "errors": figures.errors,
        "unpriced_calls": figures.unpriced_calls,
        "tokens": figures.total_tokens,
    }
