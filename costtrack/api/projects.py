"""`GET projects`: those of the organizations that the caller may read."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from costtrack.access.owners import projects_within
from costtrack.api.filters import CostFilterSet, FlagFilter, TextFilter
from costtrack.api.lists import ListView
from costtrack.reporting.columns import Column, Kind
from costtrack.reporting.pages import Key

COLUMNS = (
    Column("organization", Kind.TEXT, lambda row: row.organization.slug),
    Column("project", Kind.TEXT, lambda row: row.slug, about="Its slug, which names it within its organization."),
    Column("name", Kind.TEXT, lambda row: row.name),
    Column("is_active", Kind.BOOLEAN, lambda row: row.is_active),
    Column("created_at", Kind.INSTANT, lambda row: row.created_at, about="Usage makes a project that it names first."),
)


class ProjectFilters(CostFilterSet):
    """By slug and name, and whether they are active."""

    project = TextFilter(field_name="slug", help_text="Only the one of this slug in each organization.")
    name = TextFilter()
    is_active = FlagFilter()


class ProjectsView(ListView):
    """The projects of the organizations that the caller may read, oldest first; of a narrowed key its own alone."""

    filters = ProjectFilters
    columns = COLUMNS
    key = Key(("id",), is_descending=False)

    def rows(self) -> QuerySet[Any]:
        """Those of the organizations; of a key of a project, or of an agent, that project."""
        return projects_within(self.organizations, owner=self.owner).select_related("organization")
