"""What was used and has no price: by provider, model and resource type, from the daily summaries."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from django.db.models import Max, Q, Sum

from costtrack.domain.periods import DayRange
from costtrack.models import Organization
from costtrack.reporting.costs import summaries_of

MODELS_SHOWN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpricedUsage:
    """The calls of one model that have no price."""

    provider: str
    model: str
    """"" of a resource that has none, such as a tool."""
    resource_type: str
    unpriced_calls: int
    last_day: date
    """The last day with such a call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateCoverage:
    """How much of the usage has a price, and what has none."""

    calls: int
    unpriced_calls: int
    models: tuple[UnpricedUsage, ...]
    """Most calls first; the first MODELS_SHOWN."""
    others: int
    """How many more there are."""


def unpriced_usage(days: DayRange, *, organizations: Collection[Organization] | None = None) -> RateCoverage:
    """What of these days has no price; a correction that brought one counts (two queries)."""
    every_day = summaries_of(days, by=(), organizations=organizations)
    whole = every_day.aggregate(sum_calls=Sum("calls"), sum_unpriced=Sum("unpriced_calls"))
    rows = summaries_of(days, by=("provider", "model", "resource_type"), organizations=organizations)
    groups = (
        rows.order_by()
        .values("provider", "model", "resource_type")
        .annotate(sum_unpriced=Sum("unpriced_calls"), last_day=Max("day", filter=Q(unpriced_calls__gt=0)))
    )
    found = [
        UnpricedUsage(
            provider=row["provider"],
            model=row["model"],
            resource_type=row["resource_type"],
            unpriced_calls=int(row["sum_unpriced"]),
            last_day=row["last_day"],
        )
        for row in groups.filter(sum_unpriced__gt=0).order_by("-sum_unpriced", "provider", "model", "resource_type")
    ]
    return RateCoverage(
        calls=int(whole["sum_calls"] or 0),
        unpriced_calls=int(whole["sum_unpriced"] or 0),
        models=tuple(found[:MODELS_SHOWN]),
        others=max(0, len(found) - MODELS_SHOWN),
    )
