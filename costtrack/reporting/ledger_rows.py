"""The ledger's rows of conversations and entities: too many values for a summary, so they have indexes of their own."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db.models import Max, Min, Q, QuerySet

from costtrack.conf import settings
from costtrack.domain.events import UsageKind
from costtrack.domain.periods import DayRange
from costtrack.models import Agent, Organization, Project, ResourceUsage


def ledger_rows(
    *,
    organizations: Collection[Organization] | None = None,
    owner: Project | Agent | None = None,
    days: DayRange | None = None,
) -> QuerySet[ResourceUsage]:
    """The rows of those organizations, of one project or agent, and of those days; None means all of them."""
    rows = ResourceUsage.objects.using(settings.database).all()
    if organizations is not None:
        rows = rows.filter(organization__in=organizations)
    if owner is not None:
        rows = rows.filter(agent=owner) if isinstance(owner, Agent) else rows.filter(project=owner)
    return rows if days is None else rows.filter(day__gte=days.start, day__lt=days.end)


def ledger_rows_by_index(
    *, organizations: Collection[Organization] | None = None, owner: Project | Agent | None = None
) -> QuerySet[ResourceUsage]:
    """The same rows, every organization named (one query more): the indexes of single things begin with it."""
    if organizations is None:
        organizations = list(Organization.objects.using(settings.database).only("pk"))
    return ledger_rows(organizations=organizations, owner=owner)


def call_times() -> dict[str, Min | Max]:
    """Aggregates `first_call_at` and `last_call_at` over calls proper: a correction is no call."""
    usage = Q(kind=UsageKind.USAGE.value)
    return {"first_call_at": Min("occurred_at", filter=usage), "last_call_at": Max("occurred_at", filter=usage)}


def earliest(instants: list[datetime | None]) -> datetime | None:
    """The first of those that are known."""
    return min((instant for instant in instants if instant is not None), default=None)


def latest(instants: list[datetime | None]) -> datetime | None:
    """The last of those that are known."""
    return max((instant for instant in instants if instant is not None), default=None)
