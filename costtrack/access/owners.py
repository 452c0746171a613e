"""Which projects and agents are somebody's to read: those of the organizations; of a narrowed key its own alone."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import QuerySet

from costtrack.access.rows import rows_of
from costtrack.conf import settings
from costtrack.models import Agent, Organization, Project


def projects_within(
    organizations: Collection[Organization], *, owner: Project | Agent | None = None
) -> QuerySet[Project]:
    """The projects of the organizations; of a key of a project, or of an agent, that project."""
    rows = rows_of(Project.objects.using(settings.database), organizations)
    if owner is not None:
        rows = rows.filter(pk=owner.project_id if isinstance(owner, Agent) else owner.pk)
    return rows


def agents_within(organizations: Collection[Organization], *, owner: Project | Agent | None = None) -> QuerySet[Agent]:
    """The agents of the organizations; of a key of a project those of that, of a key of an agent that one."""
    rows = rows_of(Agent.objects.using(settings.database), organizations)
    if owner is not None:
        rows = rows.filter(pk=owner.pk) if isinstance(owner, Agent) else rows.filter(project=owner)
    return rows
