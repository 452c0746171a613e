"""The filter of rates by when they hold."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from costtrack.pricing.validity import in_force


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
