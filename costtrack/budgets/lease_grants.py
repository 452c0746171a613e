"""Granting leases: how much of a counter Redis gets, and for how long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import ROUND_FLOOR, Context, Decimal
from typing import NamedTuple
from uuid import UUID, uuid4

from django.db import transaction

from costtrack.budgets.counters import CounterKey, CounterOf
from costtrack.budgets.leases import MOST_UNITS, amount_of, database_now, limit_waiting, places_of, rows_of
from costtrack.budgets.moves import LOCK_ORDER, Move, exact, move_counters
from costtrack.conf import settings
from costtrack.models import Budget, BudgetCounter, BudgetLease, Organization

ADMITS = timedelta(minutes=5)
"""So long calls that hold for the usual time are admitted out of a lease; then it only waits for them."""
MARGIN = timedelta(seconds=5)
"""By so much earlier than here a lease ends in Redis, for clocks that are set."""
LONGEST = timedelta(days=1)
"""No lease lives longer; a call that may hold for longer is admitted by the database."""
SHARE = 10
"""A lease takes one in so many parts of what is left."""
LEAST_CALLS = 2
"""So many calls must fit into a lease; else the database admits."""
AHEAD = 2
"""When one in so many parts of a limit is leased, no more is: all of it may be lost for a while."""

_DOWN = Context(prec=60, rounding=ROUND_FLOOR)


class Need(NamedTuple):
    """A counter of which Redis has too little."""

    counter: CounterOf
    units: int


@dataclass(frozen=True, slots=True)
class Grants:
    """What became of the needs."""

    kind: str
    """`granted`; `stale`: budgets were changed; `missing`: a counter is to be made; `near`: little of one is left."""
    leases: Mapping[CounterKey, tuple[UUID, int]] = field(default_factory=dict)
    """By counter: the lease and its units."""
    near: CounterKey | None = None


def lease_life(ttl: timedelta) -> timedelta:
    """How long a lease lives out of which a call can hold for `ttl`."""
    usual = timedelta(seconds=settings.hold_ttl_seconds)
    return min(max(ttl, min(usual, LONGEST)), LONGEST) + ADMITS + MARGIN


def grant_leases(
    needs: Sequence[Need], *, organization_id: int, epoch: int, run: str, life: timedelta, using: str
) -> Grants:
    """Lease to a run of Redis several times what it needs of each counter, or nothing of any.

    Where that much is not left, the database had better admit by itself: it sees all that is left, and leasing call by
    call would be slower. In a transaction of its own: what Redis admits out of must not be rolled back.
    """
    by_lookup = {(key.budget_id, key.subject, key.period_start): need for need in needs for key in [need.counter.key]}
    with transaction.atomic(using=using):
        limit_waiting(using)
        rows = list(
            rows_of([need.counter for need in needs], using=using).order_by(*LOCK_ORDER).select_for_update(no_key=True)
        )
        found = {by_lookup[row.budget_id, row.subject, row.period_start].counter.key: row for row in rows}
        if len(found) < len(needs):
            return Grants("missing")
        # Read after the locks are had, so that they are what they are now.
        if not Organization.objects.using(using).filter(id=organization_id, budget_epoch=epoch).exists():
            return Grants("stale")
        limits = dict(
            Budget.objects.using(using).filter(id__in={row.budget_id for row in rows}).values_list("id", "limit")
        )
        leases: list[BudgetLease] = []
        granted: dict[CounterKey, tuple[UUID, int]] = {}
        now = database_now(using)
        for need in needs:
            row = found[need.counter.key]
            units = _chunk(row, limits[row.budget_id], need)
            if units is None:
                return Grants("near", near=need.counter.key)
            amount = amount_of(units, need.counter.rule.metric)
            lease = BudgetLease(id=uuid4(), counter=row, run=run, epoch=epoch, granted=amount, remaining=amount)
            lease.granted_at, lease.expires_at = now, now + life
            leases.append(lease)
            granted[need.counter.key] = lease.id, units
        BudgetLease.objects.using(using).bulk_create(leases)
        move_counters({lease.counter_id: Move(leased=lease.granted) for lease in leases}, using=using)
    return Grants("granted", granted)


def _chunk(row: BudgetCounter, limit: Decimal | None, need: Need) -> int | None:
    """How many units to lease; None if that is hardly more than the need."""
    if limit is None:
        return need.units
    leased = exact(row.leased)
    left = limit - exact(row.spent) - exact(row.held) - leased
    units = (
        int(left.scaleb(places_of(need.counter.rule.metric), context=_DOWN).to_integral_value(context=_DOWN)) // SHARE
    )
    return None if units < need.units * LEAST_CALLS or leased * AHEAD >= limit else min(units, MOST_UNITS)
