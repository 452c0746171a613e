"""The filters of rates by when they hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from typing import Any

from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
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


class AsOfFilter(admin.SimpleListFilter):
    """In force at the beginning of a day of one's choice, in the site's time zone."""

    title = _("in force on")
    parameter_name = "as_of"
    template = "costtrack/admin/as_of_filter.html"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> Iterable[tuple[str, Any]]:
        """Any day: the form asks for one."""
        return []

    def has_output(self) -> bool:
        """Always."""
        return True

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """What the form needs: the chosen day, and the parameters to keep."""
        kept = changelist.get_filters_params()
        yield {
            "day": self.value() or "",
            "kept": [(name, one) for name, values in kept.items() if name != self.parameter_name for one in values],
            "without": changelist.get_query_string(remove=[self.parameter_name]),
        }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        """The rates that priced what was used then; the queryset has `ends_at`."""
        if not self.value():
            return None
        try:
            day = date.fromisoformat(str(self.value()))
            instant = timezone.make_aware(datetime.combine(day, time.min))
        except (ValueError, OverflowError) as fault:
            raise IncorrectLookupParameters from fault
        return queryset.filter(in_force(instant))
