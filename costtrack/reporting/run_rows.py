"""Which plans and runs somebody may read: those of their organizations, or of the project of their key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet

from costtrack.conf import settings
from costtrack.models import Agent, CostPlan, Organization, Project, UsageRun


def plans_within(organizations: Sequence[Organization], *, owner: Project | Agent | None = None) -> QuerySet[CostPlan]:
    """The plans of these organizations, loaded to be shown; of one project its own. An agent has none."""
    plans: QuerySet[CostPlan] = _within(CostPlan.objects.using(settings.database), organizations, owner)
    return plans


def runs_within(organizations: Sequence[Organization], *, owner: Project | Agent | None = None) -> QuerySet[UsageRun]:
    """The runs of these organizations, loaded to be shown; of one project its own. An agent has none."""
    runs: QuerySet[UsageRun] = _within(UsageRun.objects.using(settings.database), organizations, owner)
    return runs


def _within(rows: Any, organizations: Sequence[Organization], owner: Project | Agent | None) -> Any:
    found = rows.filter(organization__in=organizations).select_related("organization", "project")
    if isinstance(owner, Agent):
        return found.none()
    return found if owner is None else found.filter(project=owner)
