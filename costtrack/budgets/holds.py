"""Holds after they were granted: settled with their usage, released, renewed, or swept when they have expired."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import connections, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from costtrack.budgets.leases import sweep_leases, waiting_little
from costtrack.budgets.moves import ZERO, Move, move_counters
from costtrack.budgets.redis_holds import release_leased, renew_leased, sweep_redis
from costtrack.domain.budget_rules import Expiry
from costtrack.models import BudgetCounter, Hold

SWEEP_BATCH = 200
TAKEN = (Hold.State.HELD, Hold.State.CHARGED)
"""The states in which a hold's parts are in its counters."""
HELD_AMOUNT = "held_amount"
"""In what a hold is about: the most units, as text, of a resource other than tokens. Its counters go before it does."""


@dataclass(frozen=True, slots=True)
class LockedHold:
    """A hold that this transaction may end."""

    id: UUID
    state: str
    parts: Sequence[tuple[int, Decimal]]
    """(counter, amount)."""

    @property
    def taken(self) -> Sequence[tuple[int, Decimal]]:
        """The parts that are in the counters."""
        return self.parts if self.state in TAKEN else ()


def parts_of(hold: Hold) -> list[tuple[int, Decimal]]:
    """(counter, amount) of a hold."""
    return [(int(counter_id), Decimal(amount)) for counter_id, amount in hold.parts]


def locked_holds(ids: Iterable[UUID], *, using: str) -> list[LockedHold]:
    """Those of the holds that exist and are not settled yet, locked in the order of their ids, before any counter."""
    wanted = list(ids)
    if not wanted:
        return []
    rows = Hold.objects.using(using).select_for_update().filter(id__in=wanted).exclude(state=Hold.State.SETTLED)
    return [LockedHold(hold.id, hold.state, parts_of(hold)) for hold in rows.order_by("id")]


def give_back(moves: dict[int, Move], holds: Iterable[LockedHold]) -> None:
    """Add to the moves that nothing is held for these any more."""
    for hold in holds:
        for counter_id, amount in hold.taken:
            moves.setdefault(counter_id, Move()).held -= amount


def mark_settled(holds: Sequence[LockedHold], overrun: set[UUID], *, using: str) -> None:
    """Their usage is recorded. `overrun`: those that used more than they held."""
    now = datetime.now(UTC)
    for is_overrun in (False, True):
        ids = [hold.id for hold in holds if (hold.id in overrun) is is_overrun]
        if ids:
            settled = Hold.objects.using(using).filter(id__in=ids)
            settled.update(state=Hold.State.SETTLED, ended_at=now, is_overrun=is_overrun)


def release(hold_id: UUID, *, using: str) -> bool:
    """Nothing was used: give back what is held. False if the hold has ended, or never was."""
    with transaction.atomic(using=using):
        held = [hold for hold in locked_holds([hold_id], using=using) if hold.state in TAKEN]
        moves: dict[int, Move] = {}
        give_back(moves, held)
        move_counters(moves, using=using)
        ended = Hold.objects.using(using).filter(id__in=[hold.id for hold in held])
        ended.update(state=Hold.State.RELEASED, ended_at=datetime.now(UTC))
    return bool(held) or release_leased(hold_id, using=using)


def renew(hold_id: UUID, ttl: timedelta, *, using: str) -> datetime | None:
    """Let a hold live for `ttl` from now, by the database's clock; its new end, None if it has ended already."""
    connection = connections[using]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE costtrack_hold "
                "SET expires_at = greatest(expires_at, clock_timestamp() + %s * interval '1 second') "
                "WHERE id = %s AND state = 'held' RETURNING expires_at",
                [ttl.total_seconds(), hold_id],
            )
            row = cursor.fetchone()
        return row[0] if row else renew_leased(hold_id, ttl, using=using)
    expires_at = datetime.now(UTC) + ttl  # of SQLite's database this machine's clock is the clock
    renewed = Hold.objects.using(using).filter(id=hold_id, state=Hold.State.HELD, expires_at__lt=expires_at)
    renewed.update(expires_at=expires_at)
    held = Hold.objects.using(using).filter(id=hold_id, state=Hold.State.HELD)
    return held.values_list("expires_at", flat=True).first() or renew_leased(hold_id, ttl, using=using)


def sweep_expired(*, using: str, organization_id: int | None = None, waits_little: bool = False) -> int:
    """Give back what expired holds hold, or keep it where a budget says `charge`; how many there were.

    In short transactions; holds that somebody is just settling are left to him. Several may sweep at the same time.
    `waits_little`: for locks no longer than a reservation may; then OperationalError.
    """
    swept = 0
    while count := _sweep_some(using, organization_id, waits_little=waits_little):
        swept += count
    sweep_leases(using=using, organization_id=organization_id)
    return swept + sweep_redis(using=using, organization_id=organization_id)


def _sweep_some(using: str, organization_id: int | None, *, waits_little: bool) -> int:
    with waiting_little(using) if waits_little else nullcontext(), transaction.atomic(using=using):
        holds = list(_expired(using, organization_id)[:SWEEP_BATCH])
        if not holds:
            return 0
        charging = _charging({counter_id for hold in holds for counter_id, _ in parts_of(hold)}, using=using)
        moves: dict[int, Move] = {}
        now = datetime.now(UTC)
        for hold in holds:
            kept = [(counter_id, amount) for counter_id, amount in parts_of(hold) if counter_id in charging]
            released = [part for part in parts_of(hold) if part not in kept]
            give_back(moves, [LockedHold(hold.id, hold.state, released)])
            hold.state = Hold.State.CHARGED if kept else Hold.State.EXPIRED
            if kept:
                hold.parts = [[counter_id, str(amount)] for counter_id, amount in kept]
            hold.ended_at = now
        move_counters(moves, using=using)
        Hold.objects.using(using).bulk_update(holds, ["state", "parts", "ended_at"])
        return len(holds)


def _expired(using: str, organization_id: int | None) -> QuerySet[Hold]:
    holds = Hold.objects.using(using).filter(state=Hold.State.HELD)
    if connections[using].vendor == "postgresql":
        holds = holds.select_for_update(skip_locked=True).filter(expires_at__lt=Now())
    else:
        holds = holds.filter(expires_at__lt=datetime.now(UTC))
    if organization_id is not None:
        holds = holds.filter(organization_id=organization_id)
    return holds.order_by("id")


def _charging(counter_ids: set[int], *, using: str) -> set[int]:
    counters = BudgetCounter.objects.using(using).filter(id__in=counter_ids, budget__on_expiry=Expiry.CHARGE)
    return set(counters.values_list("id", flat=True))


def held_by_counter(*, using: str) -> Mapping[int, Decimal]:
    """What all live holds hold, per counter: what the counters must say."""
    held: dict[int, Decimal] = {}
    for hold in Hold.objects.using(using).filter(state__in=TAKEN).iterator(chunk_size=1000):
        for counter_id, amount in parts_of(hold):
            held[counter_id] = held.get(counter_id, ZERO) + amount
    return held
