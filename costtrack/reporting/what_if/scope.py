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
from costtrack.reporting.summary import grain_of

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
    grain: str = "",
) -> ScopedUsage:
    """The usage of those days and organizations (None: all) that `scope`, names of SCOPE_NAMES with values, leaves.

    A project is named by its slug, an agent by its slug or as `project/agent`. `grain` is that of the summaries, if
    they are to be narrowed further; by default what the scope needs. Raises InvalidParameter.
    """
    conditions = Q()
    for name, value in scope.items():
        if name not in SCOPE_NAMES:
            raise InvalidParameter("scope", shorten(str(name)), f"names of {', '.join(SCOPE_NAMES)}")
        if not isinstance(value, str):
            raise InvalidParameter(name, value, "a text")
        conditions &= _condition(name, parse_text(name, value))
    ledger = ledger_rows(organizations=organizations, owner=owner, days=days).filter(conditions)
    if any(name in LEDGER_ONLY for name in scope):
        return ScopedUsage(ledger, None, organizations)
    summaries: Any = summaries_of(days, organizations=organizations, owner=owner, grain=grain or grain_of(scope))
    return ScopedUsage(ledger, summaries.filter(conditions), organizations)


def _condition(name: str, value: str) -> Q:
    if name == "project":
        return Q(project__slug=value)
    if name == "agent":
        project, slash, slug = value.partition("/")
        return Q(agent__slug=slug, agent__project__slug=project) if slash else Q(agent__slug=value)
    return Q(**{name: value})
