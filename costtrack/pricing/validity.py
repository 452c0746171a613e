"""Until when each stored rate holds, and which are in force: a rate ends where the next one of its key begins."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Case, OuterRef, Q, QuerySet, Subquery, When

from costtrack.models import Rate

KEY_FIELDS = ("provider", "model", "resource_type", "service_tier", "window_start", "window_end")
"""What rates follow one another within, besides their organization."""


def with_end(rates: QuerySet[Rate]) -> QuerySet[Rate]:
    """`rates` with `ends_at`: where the next one of the same key begins, NULL if none follows.

    Two subqueries, because the unique index of global rates and that of organizations' own are two.
    """
    later = Rate.objects.filter(
        effective_from__gt=OuterRef("effective_from"), **{name: OuterRef(name) for name in KEY_FIELDS}
    ).order_by("effective_from")
    begins = [
        Subquery(which.values("effective_from")[:1])
        for which in (later.filter(organization__isnull=True), later.filter(organization=OuterRef("organization")))
    ]
    return rates.annotate(ends_at=Case(When(organization__isnull=True, then=begins[0]), default=begins[1]))


def in_force(at: datetime) -> Q:
    """The rates that price usage of that instant, on a queryset that has `ends_at`."""
    return Q(effective_from__lte=at) & (Q(ends_at__isnull=True) | Q(ends_at__gt=at))
