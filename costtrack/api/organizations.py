"""`GET organizations`: those that the caller may read."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from costtrack.api.filters import CostFilterSet, FlagFilter, TextFilter
from costtrack.api.lists import ListView
from costtrack.conf import settings
from costtrack.models import Organization
from costtrack.reporting.columns import Column, Kind
from costtrack.reporting.pages import Key

COLUMNS = (
    Column("organization", Kind.TEXT, lambda row: row.slug, about="Its slug, which names it everywhere."),
    Column("name", Kind.TEXT, lambda row: row.name),
    Column("timezone", Kind.TEXT, lambda row: row.timezone, about="IANA name: its days and periods follow it."),
    Column("is_active", Kind.BOOLEAN, lambda row: row.is_active),
    Column("created_at", Kind.INSTANT, lambda row: row.created_at),
)


class OrganizationFilters(CostFilterSet):
    """By name, and whether they are active."""

    name = TextFilter()
    is_active = FlagFilter()


class OrganizationsView(ListView):
    """The organizations that the caller may read, by slug."""

    filters = OrganizationFilters
    columns = COLUMNS
    key = Key(("slug",), is_descending=False)

    def rows(self) -> QuerySet[Any]:
        """Those that are granted."""
        granted = [one.pk for one in self.organizations]
        return Organization.objects.using(settings.database).filter(pk__in=granted)
