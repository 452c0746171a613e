"""What may be said of a budget that is made or changed: the fields of Budget by their names, owners by their slugs."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from costtrack.api.event_input import Clean, any_number, flag
from costtrack.api.fields import one_of, text_up_to
from costtrack.conf import settings
from costtrack.domain.budget_periods import BudgetPeriod
from costtrack.domain.budget_rules import TEXT_SCOPE, BudgetMetric, Enforcement, Expiry, Per, Unavailable, Unpriced
from costtrack.domain.money import parse_decimal
from costtrack.exceptions import InvalidUsage
from costtrack.models import Agent, Organization, Project
from costtrack.reporting.parameters import MAX_TEXT

MAX_NOTE = 500
A_PROJECT = "the slug of a project of that organization: one appears with its first usage, or is made in the admin"
AN_AGENT = "the slug of an agent of that project: one appears with its first usage, or is made in the admin"


def quantity(field: str, value: object) -> Decimal | None:
    """A number, better written as text; null is no limit."""
    return None if value is None else parse_decimal(field, any_number(field, value))


def never(field: str, value: object) -> object:
    """Nothing: it says which budget it is."""
    raise InvalidUsage(field, value, "nothing, for it never changes: make another budget, and let this one rest")


LIMITS: dict[str, Clean] = {
    "name": text_up_to(MAX_TEXT),
    "limit": quantity,
    "is_unlimited": flag,
    "enforcement": one_of(tuple(Enforcement)),
    "on_unpriced": one_of(tuple(Unpriced)),
    "on_expiry": one_of(tuple(Expiry)),
    "on_unavailable": one_of(tuple(Unavailable)),
    "is_active": flag,
    "note": text_up_to(MAX_NOTE),
}
NEW: dict[str, Clean] = {
    **dict.fromkeys(("organization", "project", "agent", *TEXT_SCOPE), text_up_to(MAX_TEXT)),
    "metric": one_of(tuple(BudgetMetric)),
    "period": one_of(tuple(BudgetPeriod)),
    "per": one_of(tuple(Per)),
    **LIMITS,
}
"""What may be said of a new budget. All else is worked out: what is spent, held and left, who made it, and when."""
CHANGES: dict[str, Clean] = {**dict.fromkeys(("id", "created_at", *NEW), never), **LIMITS}
"""What may be said of a change."""


def owners_in(values: dict[str, Any], *, organization: Organization) -> dict[str, Any]:
    """The `project` and `agent` whose slugs `values` have, which they have no more then; None where there is none.

    Raises InvalidUsage for one that does not exist, or that is of another organization.
    """
    project: Project | None = None
    agent: Agent | None = None
    project_slug, agent_slug = values.pop("project", ""), values.pop("agent", "")
    if project_slug:
        projects = Project.objects.using(settings.database).filter(organization=organization)
        project = projects.filter(slug=project_slug).first()
        if project is None:
            raise InvalidUsage("project", project_slug, A_PROJECT)
    if agent_slug:
        if project is None:
            raise InvalidUsage("agent", agent_slug, "its project, too")
        agent = Agent.objects.using(settings.database).filter(project=project, slug=agent_slug).first()
        if agent is None:
            raise InvalidUsage("agent", agent_slug, AN_AGENT)
    return {"project": project, "agent": agent}
