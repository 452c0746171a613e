"""What is held right now: reservations of calls that are not recorded yet."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from costtrack.budgets.backends.redis_connections import RedisAway
from costtrack.budgets.holds import TAKEN, parts_of
from costtrack.budgets.leases import amount_of, metric_of
from costtrack.budgets.redis_holds import holds_in_redis
from costtrack.conf import settings
from costtrack.domain.budget_rules import SEPARATOR
from costtrack.models import BudgetCounter, BudgetLease, Hold, Organization

HOLDS_SHOWN = 100
Owners = Organization | Collection[Organization] | str | None
"""One, itself or its slug; several; None: all."""

logger = logging.getLogger("costtrack")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldAmount:
    """What a hold takes from one budget, in that budget's metric."""

    budget_id: int
    budget: str
    subject: str
    """Which thread, agent ...; "" for the whole scope."""
    metric: str
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class OutstandingHold:
    """A reservation that nobody has settled or released yet."""

    id: UUID
    state: str
    """`held`; or `charged`: it has expired, and a budget keeps it taken until its call is recorded."""
    organization: str
    about: Mapping[str, str]
    """What the call is: model, endpoint, thread ..."""
    amounts: tuple[HeldAmount, ...]
    admitted_at: datetime
    age: timedelta
    """Since it was admitted."""
    expires_at: datetime
    is_expired: bool
    """The next sweep ends it."""
    is_unpriced: bool
    """Admitted although no price is known."""


def outstanding_holds(
    organization: Owners = None, *, now: datetime | None = None, limit: int = HOLDS_SHOWN
) -> tuple[OutstandingHold, ...]:
    """The oldest live holds of an organization, or of several, None meaning of all.

    Two queries, and what Redis answers if it admits. While Redis does not answer, its holds are left out.
    """
    instant = now or timezone.now()
    rows = live_holds(organization).select_related("organization")
    holds = [*rows.order_by("admitted_at", "id")[:limit], *_holds_of_redis(organization)]
    holds = sorted(holds, key=lambda hold: (hold.admitted_at, hold.id))[:limit]
    counters = (
        BudgetCounter.objects.using(settings.database)
        .select_related("budget__organization", "budget__project", "budget__agent")
        .in_bulk({counter_id for hold in holds for counter_id, _ in parts_of(hold)})
    )
    return tuple(_outstanding(hold, counters, now=instant) for hold in holds)


def count_outstanding(organization: Owners = None) -> int:
    """How many live holds there are."""
    return live_holds(organization).count() + len(_holds_of_redis(organization))


def live_holds(organization: Owners = None) -> QuerySet[Hold]:
    """The rows of the holds that are taken from counters, of one organization, of several or of all."""
    rows = Hold.objects.using(settings.database).filter(state__in=TAKEN)
    if organization is None:
        return rows
    if isinstance(organization, str):
        return rows.filter(organization__slug=organization)
    return rows.filter(organization__in=[organization] if isinstance(organization, Organization) else organization)


def amounts_of(hold: Hold, counters: Mapping[int, BudgetCounter]) -> tuple[HeldAmount, ...]:
    """What a hold takes, or took, from those of its budgets that still exist; narrowest scope first."""
    return tuple(
        HeldAmount(
            budget_id=counter.budget_id,
            budget=str(counter.budget),
            subject=counter.subject.replace(SEPARATOR, " "),
            metric=counter.budget.metric,
            amount=amount,
        )
        for counter_id, amount in parts_of(hold)
        if (counter := counters.get(counter_id)) is not None
    )


def _holds_of_redis(organization: Owners) -> list[Hold]:
    """What Redis holds, as rows that are not stored: such a hold gets its own when it ends."""
    if settings.budget_backend != "redis":
        return []
    owners = Organization.objects.using(settings.database).filter(budget_epoch__gt=0)
    if isinstance(organization, str):
        owners = owners.filter(slug=organization)
    elif organization is not None:
        chosen = [organization] if isinstance(organization, Organization) else organization
        owners = owners.filter(pk__in=[one.pk for one in chosen])
    try:
        found = {owner: holds_in_redis(owner.id, using=settings.database) for owner in owners}
    except RedisAway as error:
        logger.warning("The holds in Redis are not shown: %s", error)
        return []
    leases = (
        BudgetLease.objects.using(settings.database)
        .select_related("counter__budget")
        .in_bulk({lease_id for holds in found.values() for hold in holds for lease_id in hold.leases})
    )
    return [
        Hold(
            id=hold.id,
            organization=owner,
            parts=[
                [lease.counter_id, str(amount_of(units, metric_of(lease)))]
                for lease_id, units in hold.leases.items()
                if (lease := leases.get(lease_id)) is not None
            ],
            about=dict(hold.about),
            admitted_at=hold.admitted_at,
            expires_at=hold.expires_at,
        )
        for owner, holds in found.items()
        for hold in holds
    ]


def _outstanding(hold: Hold, counters: Mapping[int, BudgetCounter], *, now: datetime) -> OutstandingHold:
    return OutstandingHold(
        id=hold.id,
        state=hold.state,
        organization=hold.organization.slug,
        about=hold.about,
        amounts=amounts_of(hold, counters),
        admitted_at=hold.admitted_at,
        age=max(timedelta(0), now - hold.admitted_at),
        expires_at=hold.expires_at,
        is_expired=hold.state == Hold.State.HELD and hold.expires_at <= now,
        is_unpriced=hold.is_unpriced,
    )
