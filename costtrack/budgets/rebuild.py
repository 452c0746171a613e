"""Proving counters, and setting them right: spent is what the ledger says, held and leased what live ones add up to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import connections, transaction
from django.db.models import F, Q, QuerySet

from costtrack.budgets.counters import ledger_sum
from costtrack.budgets.holds import held_by_counter
from costtrack.budgets.leases import leased_by_counter
from costtrack.budgets.moves import LOCK_ORDER, ZERO, exact
from costtrack.domain.budget_periods import Period, period_at
from costtrack.models import BudgetCounter, Organization

BATCH = 20
"""So many counters are set right in one transaction, in which their organization's writers and reservations wait."""

_BUDGET = ("budget__organization", "budget__project", "budget__agent")

OnCounter = Callable[[int, int], None]
"""Told (looked at so far, all) now and then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterDifference:
    """A figure of a counter that is not what the books say."""

    counter_id: int
    organization_id: int
    budget_id: int
    budget: str
    subject: str
    period_start: datetime
    figure: str
    """`spent`, `held` or `leased`."""
    counter: Decimal
    books: Decimal
    """What the ledger, the live holds or the leases say."""


def counter_differences(
    *,
    using: str,
    now: datetime,
    organization_id: int | None = None,
    on_counter: OnCounter = lambda number, total: None,
) -> list[CounterDifference]:
    """All figures of running periods' counters that differ from the books, in one snapshot; none if all is right.

    What resting budgets have spent is not looked at: their counters stand still, and are set right when they wake.
    Exact on PostgreSQL; on SQLite to 12 digits, where small figures are right to a nano-dollar.
    """
    differences: list[CounterDifference] = []
    with _snapshot(using):
        held, leased = held_by_counter(using=using), leased_by_counter(using=using)
        counters = running_counters(now, using=using)
        if organization_id is not None:
            counters = counters.filter(budget__organization=organization_id)
        total = counters.count()
        for number, counter in enumerate(counters.iterator(chunk_size=1000), 1):
            differences += _differences(counter, held, leased, using=using)
            on_counter(number, total)
    return differences


def rebuild_counters(
    *,
    using: str,
    now: datetime,
    organization_id: int | None = None,
    on_counter: OnCounter = lambda number, total: None,
) -> list[CounterDifference]:
    """Set the counters of running periods right; the differences that there were.

    They are looked for beforehand, so that writers wait only where something is wrong.
    """
    found = counter_differences(using=using, now=now, organization_id=organization_id, on_counter=on_counter)
    wrong: dict[int, list[int]] = {}
    for difference in found:
        wrong.setdefault(difference.organization_id, []).append(difference.counter_id)
    mended: list[CounterDifference] = []
    for owner, repeated in wrong.items():
        ids = list(dict.fromkeys(repeated))
        for start in range(0, len(ids), BATCH):
            with transaction.atomic(using=using):
                _lock_organization(owner, using=using)
                mended += set_right(BudgetCounter.objects.using(using).filter(id__in=ids[start : start + BATCH]))
    return mended


def wake_counters(budget_id: int, *, now: datetime, using: str) -> None:
    """Let a budget that wakes count what was used while it rested; locked as for `set_right`.

    Most of its counters just go, and are made from the ledger when they are needed.
    """
    counters = BudgetCounter.objects.using(using).filter(budget=budget_id)
    counters.filter(held=0, leased=0).delete()
    set_right(running_counters(now, using=using).filter(budget=budget_id))


def set_right(counters: QuerySet[BudgetCounter]) -> list[CounterDifference]:
    """Set these counters right, and say what was wrong.

    The caller's transaction has locked their organization FOR UPDATE: so no usage is being written. Then the counters
    are locked, in the order that reservations lock them, and so no hold is being made or ended.
    """
    using = counters.db
    locked = counters.order_by(*LOCK_ORDER).select_for_update(of=("self",), no_key=True)
    ids = [counter.id for counter in locked]
    held, leased = held_by_counter(using=using), leased_by_counter(using=using)
    differences = []
    for counter in BudgetCounter.objects.using(using).filter(id__in=ids).select_related(*_BUDGET):
        found = _differences(counter, held, leased, using=using)
        if found:
            BudgetCounter.objects.using(using).filter(id=counter.id).update(
                **{difference.figure: difference.books for difference in found}
            )
        differences += found
    return differences


@contextmanager
def _snapshot(using: str) -> Iterator[None]:
    connection = connections[using]
    is_outermost = not connection.in_atomic_block
    with transaction.atomic(using=using):
        if connection.vendor == "postgresql" and is_outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def running_counters(now: datetime, *, using: str) -> QuerySet[BudgetCounter]:
    """The counters of periods that have not ended at `now`."""
    is_running = Q(period_end__isnull=True) | Q(period_end__gt=now)
    return BudgetCounter.objects.using(using).filter(is_running).select_related(*_BUDGET).order_by("id")


def _lock_organization(organization_id: int, *, using: str) -> None:
    rows = Organization.objects.using(using).filter(id=organization_id)
    if connections[using].vendor == "sqlite":
        rows.update(budget_epoch=F("budget_epoch"))  # takes the write lock, also where transactions begin as readers
    list(rows.select_for_update().values_list("id"))


def _differences(
    counter: BudgetCounter, held: Mapping[int, Decimal], leased: Mapping[int, Decimal], *, using: str
) -> list[CounterDifference]:
    rule = counter.budget.rule()
    books = {"held": held.get(counter.id, ZERO), "leased": leased.get(counter.id, ZERO)}
    if counter.budget.is_active:
        # Its end may have moved with the organization's zone.
        now = period_at(rule.period, counter.period_start, counter.budget.organization.zone_history())
        end = now.end if now.start == counter.period_start else counter.period_end
        period = Period(counter.period_start, end)
        books["spent"] = exact(ledger_sum(rule, counter.subject, period, using=using))
    return [
        CounterDifference(
            counter_id=counter.id,
            organization_id=rule.organization_id,
            budget_id=rule.id,
            budget=str(counter.budget),
            subject=counter.subject,
            period_start=counter.period_start,
            figure=figure,
            counter=exact(getattr(counter, figure)),
            books=amount,
        )
        for figure, amount in books.items()
        if abs(exact(getattr(counter, figure)) - amount) > _tolerance(amount, using=using)
    ]


def _tolerance(amount: Decimal, *, using: str) -> Decimal:
    """SQLite adds floats of 15 digits."""
    if connections[using].vendor != "sqlite":
        return ZERO
    return max(Decimal("5e-10"), abs(amount) * Decimal("1e-12"))
