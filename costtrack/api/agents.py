"""`GET agents`: those of the organizations that the caller may read."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from costtrack.access.owners import agents_within
from costtrack.api.filters import CostFilterSet, FlagFilter, ProjectFilter, TextFilter
from costtrack.api.lists import ListView
from costtrack.reporting.columns import Column, Kind
from costtrack.reporting.pages import Key

COLUMNS = (
    Column("organization", Kind.TEXT, lambda row: row.project.organization.slug),
    Column("project", Kind.TEXT, lambda row: row.project.slug),
    Column("agent", Kind.TEXT, lambda row: row.slug, about="Its slug, which names it within its project."),
    Column("name", Kind.TEXT, lambda row: row.name),
    Column("is_active", Kind.BOOLEAN, lambda row: row.is_active),
    Column("created_at", Kind.INSTANT, lambda row: row.created_at, about="Usage makes an agent that it names first."),
)


class AgentFilters(CostFilterSet):
    """By project, slug and name, and whether they are active."""

    project = ProjectFilter(field_name="project__slug", help_text="Only those of the projects of this slug.")
    agent = TextFilter(field_name="slug", help_text="Only the one of this slug in each project.")
    name = TextFilter()
    is_active = FlagFilter()


class AgentsView(ListView):
    """The agents of the organizations that the caller may read, oldest first; of a narrowed key its own alone."""

    filters = AgentFilters
    columns = COLUMNS
    key = Key(("id",), is_descending=False)

    def rows(self) -> QuerySet[Any]:
        """Those of the organizations; of a key of a project those of that, of a key of an agent that one."""
        return agents_within(self.organizations, owner=self.owner).select_related("project__organization")
