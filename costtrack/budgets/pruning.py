"""Clearing away what budgets need no more. A counter that comes back is made anew from the ledger.

Every batch is a short transaction; rows that somebody else has locked are left to the next time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from costtrack.budgets.holds import LockedHold, give_back, parts_of
from costtrack.budgets.moves import Move, move_counters
from costtrack.models import BudgetCounter, Hold, Organization

COUNTERS_KEPT = timedelta(days=2)
"""So long the counters of a period stay after its end."""
HISTORY_KEPT = timedelta(days=400)
"""The same of a budget's own, which are few: what its past periods came to. Not of its single threads, agents ..."""
IDLE_KEPT = timedelta(days=30)
"""So long a thread, agent ... may do nothing before its counter of kind `total` goes."""
HOLDS_KEPT = timedelta(days=30)
"""So long holds are there to be looked at after they have ended."""
BATCH = 1000

ENDED = (Hold.State.SETTLED, Hold.State.RELEASED, Hold.State.EXPIRED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What was cleared away."""

    charges_ended: int
    """Expired holds that a budget kept taken, until its period had ended."""
    counters: int
    holds: int


def prune_counters(using: str, now: datetime) -> Pruned:
    """Delete closed and dead counters that hold nothing, and holds that ended long ago; how many they were.

    Closed: the period ended two days ago, of a whole budget's counter 400. Dead: one subject's counter of a `total`
    budget, idle for 30 days.
    """
    with_budgets = Organization.objects.using(using).filter(budget_epoch__gt=0)
    return Pruned(
        charges_ended=_end_charges(now - COUNTERS_KEPT, using=using),
        counters=_delete_all(partial(_delete_counters, now, using=using)),
        holds=sum(
            _delete_all(partial(_delete_holds, organization_id, now - HOLDS_KEPT, using=using))
            for organization_id in with_budgets.values_list("id", flat=True)
        ),
    )


def _delete_all(delete_some: Callable[[], int]) -> int:
    deleted = 0
    while count := delete_some():
        deleted += count
    return deleted


def _delete_counters(now: datetime, *, using: str) -> int:
    is_closed = Q(period_end__lt=now - COUNTERS_KEPT) & (~Q(subject="") | Q(period_end__lt=now - HISTORY_KEPT))
    is_dead = Q(period_end__isnull=True, updated_at__lt=now - IDLE_KEPT) & ~Q(subject="")
    with transaction.atomic(using=using):
        rows = BudgetCounter.objects.using(using).select_for_update(skip_locked=True)
        rows = rows.filter(is_closed | is_dead, held=0, leased=0).order_by()
        ids = list(rows.values_list("id", flat=True)[:BATCH])
        BudgetCounter.objects.using(using).filter(id__in=ids).delete()
    return len(ids)


def _delete_holds(organization_id: int, before: datetime, *, using: str) -> int:
    """Looked for by when they were admitted, which has an index: nothing ends before."""
    with transaction.atomic(using=using):
        rows = Hold.objects.using(using).select_for_update(skip_locked=True)
        rows = rows.filter(organization=organization_id, admitted_at__lt=before, ended_at__lt=before, state__in=ENDED)
        ids = list(rows.order_by("admitted_at").values_list("id", flat=True)[:BATCH])
        Hold.objects.using(using).filter(id__in=ids).delete()
    return len(ids)


def _end_charges(before: datetime, *, using: str) -> int:
    """Expired holds that a budget keeps taken: what they take from periods that have ended is given back."""
    ended, after = 0, UUID(int=0)
    while True:
        with transaction.atomic(using=using):
            rows = Hold.objects.using(using).select_for_update(skip_locked=True)
            holds = list(rows.filter(state=Hold.State.CHARGED, id__gt=after).order_by("id")[:BATCH])
            if not holds:
                return ended
            after = holds[-1].id
            closed = _closed({counter_id for hold in holds for counter_id, _ in parts_of(hold)}, before, using=using)
            moves: dict[int, Move] = {}
            changed = []
            for hold in holds:
                past = [part for part in parts_of(hold) if part[0] in closed]
                if not past:
                    continue
                give_back(moves, [LockedHold(hold.id, hold.state, past)])
                hold.parts = [
                    [counter_id, str(amount)] for counter_id, amount in parts_of(hold) if counter_id not in closed
                ]
                if not hold.parts:
                    hold.state = Hold.State.EXPIRED
                    ended += 1
                changed.append(hold)
            move_counters(moves, using=using)
            Hold.objects.using(using).bulk_update(changed, ["state", "parts"])


def _closed(counter_ids: set[int], before: datetime, *, using: str) -> set[int]:
    rows = BudgetCounter.objects.using(using).filter(id__in=counter_ids, period_end__lt=before)
    return set(rows.values_list("id", flat=True))
