"""What the host's own things cost (a hypothesis, an analysis, a job), from the ledger: one of them, or a whole type."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count, F

from costtrack.conf import settings
from costtrack.domain.money import COST_PLACES
from costtrack.models import Agent, Organization, Project
from costtrack.reporting.costs import DayFigures
from costtrack.reporting.figures import (
    CostLine,
    Figures,
    add_up,
    dearest_first,
    ledger_sums,
    mean,
    read_figures,
)
from costtrack.reporting.ledger_rows import call_times, earliest, latest, ledger_rows, ledger_rows_by_index
from costtrack.reporting.shown_model import SHOWN_MODEL


@dataclass(frozen=True, slots=True)
class EntitySummary:
    """One entity: what it used and cost in all, by resource type, by model and by day."""

    entity_type: str
    entity_id: str
    figures: Figures
    by_resource_type: tuple[CostLine, ...]
    by_model: tuple[CostLine, ...]
    by_day: tuple[DayFigures, ...]
    """Days with usage, in order."""
    first_call_at: datetime | None
    """Aware UTC."""
    last_call_at: datetime | None


@dataclass(frozen=True, slots=True)
class EntityTypeStats:
    """All entities of a type together, and the dearest of them."""

    entity_type: str
    entities: int
    """How many different ids."""
    figures: Figures
    dearest: tuple[CostLine, ...]

    @property
    def average_cost_usd(self) -> Decimal | None:
        """Cost per entity at 12 decimals, half-even; 0 without entities, None where no call has a price."""
        cost = self.figures.known_cost_usd
        return None if cost is None else mean(cost, self.entities, places=COST_PLACES)


def entity_summary(
    entity_type: str,
    entity_id: str,
    *,
    organizations: Collection[Organization] | None = None,
    owner: Project | Agent | None = None,
) -> EntitySummary | None:
    """The resource summary of one entity, or None where nothing is known of it.

    One query, and one more for all organizations.
    """
    if not entity_id:
        return None
    rows = ledger_rows_by_index(organizations=organizations, owner=owner)
    rows = rows.filter(entity_type=entity_type, entity_id=entity_id)
    groups = rows.values("resource_type", "day", shown_model=SHOWN_MODEL)
    found: Sequence[Mapping[str, Any]] = list(groups.annotate(**call_times(), **ledger_sums()).order_by())
    if not found:
        return None
    types: defaultdict[str, list[Figures]] = defaultdict(list)
    models: defaultdict[str, list[Figures]] = defaultdict(list)
    days: defaultdict[date, list[Figures]] = defaultdict(list)
    for row in found:
        figures = read_figures(row, using=settings.database)
        types[row["resource_type"]].append(figures)
        models[row["shown_model"]].append(figures)
        days[row["day"]].append(figures)
    by_type = dearest_first(types)
    return EntitySummary(
        entity_type=entity_type,
        entity_id=entity_id,
        figures=add_up(line.figures for line in by_type),
        by_resource_type=by_type,
        by_model=dearest_first(models),
        by_day=tuple(DayFigures(day, add_up(days[day])) for day in sorted(days)),
        first_call_at=earliest([row["first_call_at"] for row in found]),
        last_call_at=latest([row["last_call_at"] for row in found]),
    )


def entity_type_stats(
    entity_type: str,
    *,
    limit: int = 10,
    organizations: Collection[Organization] | None = None,
    owner: Project | Agent | None = None,
) -> EntityTypeStats:
    """How many entities of a type there are, what they cost together, and the `limit` dearest (two queries)."""
    rows = ledger_rows(organizations=organizations, owner=owner).filter(entity_type=entity_type).exclude(entity_id="")
    total = rows.aggregate(entities=Count("entity_id", distinct=True), **ledger_sums())
    groups = rows.values("entity_id").annotate(**ledger_sums())
    dearest = groups.order_by(F("sum_cost_usd").desc(nulls_last=True), "entity_id")[:limit]
    return EntityTypeStats(
        entity_type=entity_type,
        entities=total["entities"],
        figures=read_figures(total, using=settings.database),
        dearest=tuple(CostLine(row["entity_id"], read_figures(row, using=settings.database)) for row in dearest),
    )
