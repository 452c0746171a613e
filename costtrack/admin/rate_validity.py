"""Until when each rate holds, and which are in force: a rate ends where the next one of its key begins."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.db.models import Case, OuterRef, Q, QuerySet, Subquery, When
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from costtrack.models import Rate

KEY_FIELDS = ("provider", "model", "resource_type", "service_tier", "window_start", "window_end")


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


def in_force(now: datetime) -> Q:
    """The rates that price usage of `now`, on a queryset that has `ends_at`."""
    return Q(effective_from__lte=now) & (Q(ends_at__isnull=True) | Q(ends_at__gt=now))


class ValidityFilter(admin.SimpleListFilter):
    """In force now, beginning later, or ended."""

    title = _("validity")
    parameter_name = "validity"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> Iterable[tuple[str, Any]]:
        """The three states that a rate can be in."""
        return [("now", _("in force now")), ("future", _("begins later")), ("ended", _("ended"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        """The rates in the chosen state; the queryset has `ends_at`."""
        now = timezone.now()
        states = {"now": in_force(now), "future": Q(effective_from__gt=now), "ended": Q(ends_at__lte=now)}
        wanted = states.get(self.value() or "")
        return None if wanted is None else queryset.filter(wanted)
