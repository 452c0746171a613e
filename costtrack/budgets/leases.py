"""Leases: the part of a counter's headroom that Redis may admit calls out of, as the database sees it.

Locks are taken in one order everywhere: holds, then leases by their ids, then counters.

What Redis has of a lease, available and held for calls in flight, is never more than what remains of it here. So what
Redis gets is booked here first, and what it gives up is booked here afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, Context, Decimal
from typing import Any
from uuid import UUID

from django.db import connections, transaction
from django.db.models import F, Q, QuerySet, Sum
from django.db.models.functions import Now

from costtrack.budgets.counters import CounterOf
from costtrack.budgets.moves import ZERO, Move, exact, move_counters
from costtrack.conf import settings
from costtrack.domain.budget_rules import BudgetMetric
from costtrack.domain.money import decimal_from_database
from costtrack.models import BudgetCounter, BudgetLease

MOST_UNITS = 2**53
"""Redis counts exactly up to here; what is larger is admitted by the database."""
SWEEP_BATCH = 200

_NANO = 9
_UP = Context(prec=60, rounding=ROUND_CEILING)


def units_of(amount: Decimal, metric: BudgetMetric) -> int:
    """An amount in Redis's units, rounded up: nano-dollars; whole tokens and calls."""
    return int(_UP.to_integral_value(_UP.scaleb(amount, places_of(metric))))


def amount_of(units: int, metric: BudgetMetric) -> Decimal:
    """The amount that so many units are."""
    return Decimal(units).scaleb(-places_of(metric), context=_UP)


def metric_of(lease: BudgetLease) -> BudgetMetric:
    """What its budget counts."""
    return BudgetMetric(lease.counter.budget.metric)


def places_of(metric: BudgetMetric) -> int:
    """The decimals that its units have."""
    return 0 if metric is BudgetMetric.TOKENS or metric is BudgetMetric.CALLS else _NANO


MOST_AMOUNT = {metric: amount_of(MOST_UNITS, metric) for metric in BudgetMetric}
"""So much of each metric is `MOST_UNITS`."""


def give_up_leases(
    counters: QuerySet[BudgetCounter], take: Callable[[Sequence[UUID]], Sequence[int]], *, using: str
) -> tuple[Decimal, bool]:
    """Take back into the counters what of their leases nobody uses.

    `take` has Redis give it up, and says how many units that was of each lease, -1 for one that it does not know.
    Gives how much that was, and whether a lease that was just granted has still to reach Redis.
    """
    with transaction.atomic(using=using):
        limit_waiting(using)
        rows = BudgetLease.objects.using(using).select_for_update(no_key=True, of=("self",)).order_by("id")
        leases = list(rows.filter(counter__in=counters).select_related("counter__budget"))
        if not leases:
            return ZERO, False
        taken = take([lease.id for lease in leases])
        moves: dict[int, Move] = {}
        young = database_now(using) - timedelta(seconds=1)
        is_on_its_way = False
        changed = []
        for lease, units in zip(leases, taken, strict=True):
            is_on_its_way |= units < 0 and lease.granted_at > young
            if units > 0:
                _use(lease, amount_of(units, metric_of(lease)), moves)
                changed.append(lease)
        _save(changed, using)
        move_counters(moves, using=using)
    return sum((-move.leased for move in moves.values()), ZERO), is_on_its_way


def rows_of(counters: Iterable[CounterOf], *, using: str) -> QuerySet[BudgetCounter]:
    """The rows of these counters."""
    which = Q(pk__in=[])
    for counter in counters:
        key = counter.key
        which |= Q(budget=key.budget_id, subject=key.subject, period_start=key.period_start)
    return BudgetCounter.objects.using(using).filter(which)


def sweep_leases(*, using: str, organization_id: int | None = None) -> int:
    """Give back to the counters what remains of leases whose time is over; how many there were.

    In short transactions; several may sweep at the same time.
    """
    swept = 0
    while True:
        with transaction.atomic(using=using):
            rows = BudgetLease.objects.using(using).filter(expires_at__lt=_now(using))
            if organization_id is not None:
                rows = rows.filter(counter__budget__organization=organization_id)
            rows = rows.select_for_update(skip_locked=True, no_key=True, of=("self",)).order_by("id")
            leases = list(rows[:SWEEP_BATCH])
            moves: dict[int, Move] = {}
            for lease in leases:
                moves.setdefault(lease.counter_id, Move()).leased -= exact(lease.remaining)
            move_counters(moves, using=using)
            BudgetLease.objects.using(using).filter(id__in=[lease.id for lease in leases]).delete()
        swept += len(leases)
        if len(leases) < SWEEP_BATCH:
            return swept


def extend_leases(ids: Iterable[UUID], life: timedelta, *, using: str) -> bool:
    """Let leases live for `life` from now, if they all live still."""
    wanted = set(ids)
    with transaction.atomic(using=using):
        rows = BudgetLease.objects.using(using).filter(id__in=wanted).select_for_update(no_key=True).order_by("id")
        leases = list(rows)
        now = database_now(using)
        if len(leases) < len(wanted) or any(lease.expires_at <= now for lease in leases):
            return False
        for lease in leases:
            lease.expires_at = max(lease.expires_at, now + life)
        BudgetLease.objects.using(using).bulk_update(leases, ["expires_at"])
    return True


def use_leases(used: Iterable[tuple[UUID, Decimal]], moves: dict[int, Move], *, using: str) -> None:
    """Calls that were admitted out of leases are recorded: add to the moves that what they held is leased no more.

    Inside the caller's transaction. Of a lease that has ended nothing is left.
    """
    amounts: dict[UUID, Decimal] = {}
    for lease_id, amount in used:
        amounts[lease_id] = amounts.get(lease_id, ZERO) + amount
    rows = BudgetLease.objects.using(using).filter(id__in=amounts).select_for_update(no_key=True).order_by("id")
    leases = list(rows)
    for lease in leases:
        _use(lease, amounts[lease.id], moves)
    _save(leases, using)


def overdrawn(ids: Iterable[int], *, using: str) -> list[int]:
    """Those of the counters that have leases although they are past their limits: more was used than was held."""
    rows = BudgetCounter.objects.using(using).filter(id__in=ids, leased__gt=0)
    return list(rows.filter(budget__limit__lt=F("spent") + F("held") + F("leased")).values_list("id", flat=True))


def leased_by_counter(*, using: str) -> Mapping[int, Decimal]:
    """What remains of all leases, per counter: what the counters must say."""
    rows = BudgetLease.objects.using(using).order_by().values("counter_id").annotate(total=Sum("remaining"))
    return {row["counter_id"]: exact(decimal_from_database(row["total"])) for row in rows}


def _use(lease: BudgetLease, amount: Decimal, moves: dict[int, Move]) -> None:
    taken = min(amount, exact(lease.remaining))
    lease.remaining = exact(lease.remaining - taken)
    moves.setdefault(lease.counter_id, Move()).leased -= taken


def _save(leases: Iterable[BudgetLease], using: str) -> None:
    changed = list(leases)
    BudgetLease.objects.using(using).bulk_update([lease for lease in changed if lease.remaining], ["remaining"])
    over = [lease.id for lease in changed if not lease.remaining]
    if over:
        BudgetLease.objects.using(using).filter(id__in=over).delete()


@contextmanager
def waiting_little(using: str) -> Iterator[None]:
    """A transaction in which a reservation waits for locks as long as it may; inside a caller's, as long as he does."""
    if connections[using].in_atomic_block:
        yield
        return
    with transaction.atomic(using=using):
        limit_waiting(using)
        yield


def limit_waiting(using: str) -> None:
    """Wait for locks no longer than reservations do, until this transaction ends."""
    connection = connections[using]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{settings.budget_lock_timeout_ms}ms"])


def _now(using: str) -> Any:
    return Now() if connections[using].vendor == "postgresql" else datetime.now(UTC)


def database_now(using: str) -> datetime:
    """By the database's clock; SQLite's is this machine's."""
    connection = connections[using]
    if connection.vendor != "postgresql":
        return datetime.now(UTC)
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now
