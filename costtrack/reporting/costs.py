"""Sums of the daily summaries: in total, by a dimension, day by day. They equal the ledger at every moment.

Each is read at the grain with the fewest rows that has what it is told by, and what the caller is limited to.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import F
from django.db.models.expressions import Combinable

from costtrack.conf import settings
from costtrack.domain.periods import DayRange
from costtrack.models import Agent, DailyCostSummary, Organization, Project
from costtrack.models.summaries import SummaryQuerySet, coarsest_grain
from costtrack.reporting.breakdown import Breakdown, read_breakdown
from costtrack.reporting.figures import CostLine, Figures, read_figures, summary_sums
from costtrack.reporting.shown_model import SHOWN_MODEL

DIMENSIONS = {
    "day": "day",
    "organization": "organization_id",
    "project": "project_id",
    "agent": "agent_id",
    "sprint": "sprint",
    "workflow": "workflow",
    "endpoint": "endpoint",
    "provider": "provider",
    "model": "model",
    "resource_type": "resource_type",
}
"""What `costs_by` can sum by, and the column that it groups."""
OF_PROJECTS = ("project", "endpoint", "provider", "model", "resource_type")
"""What summaries are told by, unless it is said that less will do."""


@dataclass(frozen=True, slots=True)
class DayFigures:
    """The figures of one local day."""

    day: date
    figures: Figures


def summaries_of(
    days: DayRange,
    *,
    by: Iterable[str] = OF_PROJECTS,
    organizations: Collection[Organization] | None = None,
    owner: Project | Agent | None = None,
) -> SummaryQuerySet:
    """The summaries of those days; None means every organization, an empty collection none.

    `by` names all of DIMENSIONS that the rows will be grouped and filtered by, besides the day: they have no other.
    The fewer these are, the fewer the rows. `owner` leaves those of one project or agent.
    """
    told_by = {"day", *by}
    if organizations is not None:
        told_by.add("organization")
    if owner is not None:
        told_by.add("agent" if isinstance(owner, Agent) else "project")
    manager = DailyCostSummary.objects.db_manager(settings.database)
    rows = manager.at_grain(coarsest_grain(DIMENSIONS[name] for name in told_by))
    rows = rows.filter(day__gte=days.start, day__lt=days.end)
    if owner is not None:
        rows = rows.filter(agent=owner) if isinstance(owner, Agent) else rows.filter(project=owner)
    return rows if organizations is None else rows.filter(organization__in=organizations)


def totals(days: DayRange, *, organizations: Collection[Organization] | None = None) -> Figures:
    """What everything in those days adds up to (one query)."""
    row = summaries_of(days, by=(), organizations=organizations).aggregate(**summary_sums())
    return read_figures(row, using=settings.database)


def breakdown_of(
    days: DayRange,
    *,
    organizations: Collection[Organization] | None = None,
    owner: Project | Agent | None = None,
) -> Breakdown:
    """The totals of those days with their parts by model and by endpoint (one query)."""
    summaries = summaries_of(days, by=("endpoint", "model"), organizations=organizations, owner=owner)
    rows = summaries.values("endpoint", shown_model=SHOWN_MODEL)
    return read_breakdown(rows.annotate(**summary_sums()).order_by(), using=settings.database)


def costs_by(
    dimension: str,
    days: DayRange,
    *,
    organizations: Collection[Organization] | None = None,
    owner: Project | Agent | None = None,
    limit: int | None = None,
) -> tuple[CostLine, ...]:
    """One line per value of a dimension (a key of DIMENSIONS), dearest first, equal ones by name; days in order.

    Usage without a model is summed under its provider, else its resource type. A project is named
    `organization/project`, an agent `organization/project/agent`, because a slug is unique under its parent only.
    Raises ValueError for any other dimension. One query, and one more for names of tables.
    """
    if dimension not in DIMENSIONS:
        raise ValueError(f"dimension: got {dimension!r}, expected one of {', '.join(DIMENSIONS)}.")
    column = DIMENSIONS[dimension]
    value: Combinable = SHOWN_MODEL if dimension == "model" else F(column)
    summaries = summaries_of(days, by=(dimension,), organizations=organizations, owner=owner)
    rows = summaries.values(value=value).annotate(**summary_sums())
    order = ("value",) if dimension == "day" else (F("sum_cost_usd").desc(nulls_last=True), "value")
    found = list(rows.order_by(*order)[:limit])
    names = _names(dimension, {row["value"] for row in found})
    lines = [CostLine(names[row["value"]], read_figures(row, using=settings.database)) for row in found]
    if dimension != "day":
        lines.sort(key=lambda line: (-line.figures.cost_usd, line.name))
    return tuple(lines)


def trend(
    days: DayRange,
    *,
    organizations: Collection[Organization] | None = None,
    owner: Project | Agent | None = None,
) -> tuple[DayFigures, ...]:
    """Every day of the range in order, days without usage included (one query)."""
    summaries = summaries_of(days, by=(), organizations=organizations, owner=owner)
    rows = summaries.values("day").annotate(**summary_sums()).order_by()
    found = {row["day"]: read_figures(row, using=settings.database) for row in rows}
    return tuple(DayFigures(day, found.get(day, Figures())) for day in days.days())


def top_agents(
    days: DayRange,
    *,
    limit: int = 10,
    organizations: Collection[Organization] | None = None,
    owner: Project | Agent | None = None,
) -> tuple[CostLine, ...]:
    """The agents that cost most, named `organization/project/agent`; "" is usage without an agent."""
    return costs_by("agent", days, organizations=organizations, owner=owner, limit=limit)


def _names(dimension: str, values: set[Any]) -> dict[Any, str]:
    """How each value of a dimension is written; usage without one is ""."""
    names: dict[Any, str] = {None: ""}
    ids = values - {None}
    if dimension == "organization":
        found = Organization.objects.using(settings.database).filter(pk__in=ids).values_list("pk", "slug")
        names.update(found)
    elif dimension == "project":
        projects = Project.objects.using(settings.database).filter(pk__in=ids)
        for pk, *path in projects.values_list("pk", "organization__slug", "slug"):
            names[pk] = "/".join(path)
    elif dimension == "agent":
        agents = Agent.objects.using(settings.database).filter(pk__in=ids)
        for pk, *path in agents.values_list("pk", "project__organization__slug", "project__slug", "slug"):
            names[pk] = "/".join(path)
    else:
        names.update((value, str(value)) for value in ids)
    return names
