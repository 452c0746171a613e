"""Which usage a question of `what_if` is about: its ledger rows, and its summaries where those have the dimensions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from costtrack.conf import settings
from costtrack.domain.periods import DayRange
from costtrack.models import Agent, DailyCostSummary, Organization, Project, ResourceUsage
from costtrack.reporting.costs import summaries_of
from costtrack.reporting.ledger_rows import ledger_rows
from costtrack.reporting.parameters import InvalidParameter, parse_text, shorten

OWNERS = ("project", "agent")
SUMMED = ("provider", "model", "endpoint", "workflow", "sprint", "resource_type")
"""Columns that summaries have, too."""
LEDGER_ONLY = ("gateway", "service_tier", "stage", "thread_id", "customer", "user", "run", "entity_type", "entity_id")
SCOPE_NAMES = (*OWNERS, *SUMMED, *LEDGER_ONLY)
"""What a scope may name."""


@dataclass(frozen=True, slots=True)
class ScopedUsage:
    """The rows that are asked about."""

    ledger: QuerySet[ResourceUsage]
    summaries: QuerySet[DailyCostSummary] | None
    """None: summaries do not have what the scope names."""
    organizations: Collection[Organization] | None
    """Whose they may be; None: anybody's."""

    def organization_ids(self) -> list[int]:
        """The same as keys: their own rates may price them, and nobody else's."""
        if self.organizations is None:
            return list(Organization.objects.using(settings.database).values_list("pk", flat=True))
        return [one.pk for one in self.organizations]


def scoped_usage(
    days: DayRange,
    scope: Mapping[str, str],
    *,
    organizations: Collection[Organization] | None = None,
    owner: Project | Agent | None = None,
    narrowed_by: Collection[str] = (),
) -> ScopedUsage:
    """The usage of those days and organizations (None: all) that `scope`, names of SCOPE_NAMES with values, leaves.

    A project is named by its slug, an agent by its slug or as `project/agent`. `narrowed_by` names the
    dimensions that the summaries will be filtered by besides. Raises InvalidParameter, also for a project or
    agent that the organizations do not have.
    """
    conditions = Q()
    for name, value in scope.items():
        if name not in SCOPE_NAMES:
            raise InvalidParameter("scope", shorten(str(name)), f"names of {', '.join(SCOPE_NAMES)}")
        if not isinstance(value, str):
            raise InvalidParameter(name, value, "a text")
        conditions &= _condition(name, parse_text(name, value))
    _check_owners(scope, organizations)
    ledger = ledger_rows(organizations=organizations, owner=owner, days=days).filter(conditions)
    if any(name in LEDGER_ONLY for name in scope):
        return ScopedUsage(ledger, None, organizations)
    told_by = {"organization", "provider", "model", "resource_type", *scope, *narrowed_by}
    summaries: Any = summaries_of(days, by=told_by, organizations=organizations, owner=owner)
    return ScopedUsage(ledger, summaries.filter(conditions), organizations)


def _condition(name: str, value: str) -> Q:
    if name == "project":
        return Q(project__slug=value)
    return _agent(value, path="agent__") if name == "agent" else Q(**{name: value})


def _agent(value: str, *, path: str = "") -> Q:
    project, _, slug = value.partition("/")
    return Q(**{f"{path}slug": value}) | Q(**{f"{path}slug": slug, f"{path}project__slug": project})


def _check_owners(scope: Mapping[str, str], organizations: Collection[Organization] | None) -> None:
    projects, agents = Project.objects.using(settings.database), Agent.objects.using(settings.database)
    if organizations is not None:
        projects = projects.filter(organization__in=organizations)
        agents = agents.filter(project__organization__in=organizations)
    if (project := scope.get("project")) is not None:
        projects = projects.filter(slug=project)
        if not projects.exists():
            raise InvalidParameter("project", project, "the slug of a project that exists")
        agents = agents.filter(project__in=projects)
    if (agent := scope.get("agent")) is not None and not agents.filter(_agent(agent)).exists():
        of_project = f" in the project {project!r}" if project is not None else ""
        raise InvalidParameter("agent", agent, f"an agent that exists{of_project}, by its slug or as project/agent")
