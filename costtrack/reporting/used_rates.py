"""Which of everybody's rates are about what was used: those of its models, of every service tier and date."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Sum

from costtrack.conf import settings
from costtrack.domain.periods import DayRange
from costtrack.models import Organization
from costtrack.pricing.ratebook import current_ratebook
from costtrack.reporting.costs import summaries_of

MODELS_LOOKED_UP = 200
"""Those with the most calls."""


def rates_of_usage(days: DayRange, *, organizations: Collection[Organization] | None = None) -> frozenset[int]:
    """The ids of the global rates that may price what these organizations used in those days (one query).

    An organization's own rates are not among them: who makes one means it.
    """
    told_by = ("provider", "model", "resource_type")
    rows = summaries_of(days, by=told_by, organizations=organizations).order_by()
    sums = rows.values("provider", "model", "resource_type").annotate(sum_calls=Sum("calls"))
    used = sums.order_by("-sum_calls", "provider", "model", "resource_type")[:MODELS_LOOKED_UP]
    book = current_ratebook(using=settings.database)
    names = {
        (rate.provider, rate.model, rate.resource_type)
        for row in used
        for rate in book.rates_for(model=row["model"], provider=row["provider"], resource_type=row["resource_type"])
    }
    return frozenset(
        rate.id
        for rate in book.rates
        if rate.id is not None
        and rate.organization_id is None
        and (rate.provider, rate.model, rate.resource_type) in names
    )
