"""What a batch of usage does to counters and holds, inside the batch's own transaction: so the books always agree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from django.db import OperationalError, transaction

from costtrack.budgets.book import Book, book_for_writer
from costtrack.budgets.counters import (
    KEPT_AFTER_END,
    CounterKey,
    CounterOf,
    counter_ids,
    counters_of,
    create_counters,
)
from costtrack.budgets.holds import LockedHold, give_back, locked_holds, mark_settled
from costtrack.budgets.known import known_budgets
from costtrack.budgets.leased_holds import LeasedHolds
from costtrack.budgets.moves import ZERO, Move, move_counters
from costtrack.budgets.redis_holds import stop_overdrawing
from costtrack.conf import settings
from costtrack.domain.budget_rules import Facts, Quantities
from costtrack.signals import counters_moved

MAX_ATTEMPTS = 10
"""How often a batch begins again because counters were made or pruned meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedUsage:
    """One row of the ledger, as budgets see it."""

    organization_id: int
    occurred_at: datetime
    facts: Facts
    quantities: Quantities
    """Signed, for corrections. An unknown cost counts as nothing until it is known."""
    hold_id: UUID | None = None
    """The reservation that it settles."""


class CountersMissing(Exception):
    """Counters of the batch are not there (of a new budget, or pruned): make them, and begin again."""

    def __init__(self, missing: Sequence[CounterOf]) -> None:
        self.missing = missing
        super().__init__(f"{len(missing)} budget counter(s) have to be made first.")


class BatchCounters:
    """The counters that one batch moves. Not kept longer: a counter may be pruned, and made again under another id."""

    def __init__(self, *, using: str) -> None:
        """None found yet."""
        self._using = using
        self._ids: dict[CounterKey, int] = {}

    def prepare(self, usage: Callable[[], Iterable[CountedUsage]], organizations: set[int]) -> None:
        """Before the transaction: find or make the counters that it will need, as far as budgets are known.

        `usage` is asked for only if a budget of these organizations is known.
        """
        book = self._known_book()
        if not organizations.isdisjoint(book):
            needed = [one for one, _ in _deltas(usage(), book).values()]
            self._find(needed)
            self.make(one for one in needed if one.key not in self._ids)

    def settle(
        self, usage: Callable[[], Sequence[CountedUsage]], organizations: set[int], holds: Mapping[UUID, str]
    ) -> None:
        """Inside the transaction, last: count the usage in every budget that it is about, and end the `holds`.

        Those are given with their `hold_leases`: what they used of a lease is moved from leased to spent.

        Raises CountersMissing if a counter has to be made first; the transaction must be rolled back then.
        """
        book = book_for_writer(self._known_book(), organizations, using=self._using) if organizations else {}
        rows = usage() if book else []
        deltas = _deltas(rows, book)
        self._find([one for one, _ in deltas.values() if one.key not in self._ids])
        _require(one for one, _ in deltas.values() if one.key not in self._ids)
        held = locked_holds(holds, using=self._using)
        used = self._used(rows, book) if holds else {}
        moves: dict[int, Move] = {}
        LeasedHolds(holds, using=self._using).settle(used, moves)
        for key, (_, amount) in deltas.items():
            if key in self._ids:
                moves.setdefault(self._ids[key], Move()).spent += amount
        give_back(moves, held)
        gone = move_counters(moves, using=self._using)
        if gone:
            lost = [one for one, _ in deltas.values() if self._ids.get(one.key) in gone]
            for one in lost:
                del self._ids[one.key]
            _require(lost)
        stop_overdrawing(moves, using=self._using)
        mark_settled(held, _overrun(held, used), using=self._using)
        # Only then: a list that is rolled back would be kept under an epoch that another change will have.
        transaction.on_commit(lambda: known_budgets(self._using).learn(book), using=self._using, robust=True)
        if moves:
            moved = set(moves)
            transaction.on_commit(lambda: _tell_moved(moved, self._using), using=self._using, robust=True)

    def make(self, missing: Iterable[CounterOf]) -> None:
        """Make the counters, outside the batch's transaction, and find their ids."""
        to_make = [one for one in missing if _is_open(one)]
        if to_make:
            create_counters(to_make, using=self._using)
            self._find(to_make)

    def _known_book(self) -> Book:
        return {} if settings.is_inline() else known_budgets(self._using).by_id

    def _find(self, wanted: Sequence[CounterOf]) -> None:
        self._ids |= counter_ids([one.key for one in wanted], using=self._using)

    def _used(self, rows: Iterable[CountedUsage], book: Book) -> dict[UUID, dict[int | None, Decimal]]:
        """What each hold's call has used of each counter."""
        by_hold: dict[UUID, list[CountedUsage]] = {}
        for row in rows:
            if row.hold_id is not None:
                by_hold.setdefault(row.hold_id, []).append(row)
        return {
            hold_id: {self._ids.get(key): amount for key, (_, amount) in _deltas(usage, book).items()}
            for hold_id, usage in by_hold.items()
        }


def write_and_count(write: Callable[[], None], usage: CountedUsage, *, using: str) -> None:
    """Inside the caller's transaction: `write()` one row of the ledger, a correction, and count it, or neither.

    The counters come first: one that is made after the row is there would have it in its sum already.
    """
    batch = BatchCounters(using=using)
    organizations = {usage.organization_id}
    batch.prepare(lambda: [usage], organizations)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            with transaction.atomic(using=using):
                write()
                batch.settle(lambda: [usage], organizations, {})
            return
        except CountersMissing as error:
            if attempt == MAX_ATTEMPTS:
                raise OperationalError(f"Budget counters vanish as fast as they are made: {error}") from error
            batch.make(error.missing)


def _tell_moved(counter_ids: set[int], using: str) -> None:
    counters_moved.send_robust(sender=BatchCounters, counter_ids=counter_ids, using=using)


def _deltas(usage: Iterable[CountedUsage], book: Book) -> dict[CounterKey, tuple[CounterOf, Decimal]]:
    """What the usage adds to each counter, in their lock order."""
    deltas: dict[CounterKey, tuple[CounterOf, Decimal]] = {}
    for one in usage:
        budgets = book.get(one.organization_id)
        if budgets is None:
            continue
        for counter in counters_of(one.facts, one.occurred_at, budgets, budgets.rules):
            amount = one.quantities.of(counter.rule.metric) or ZERO
            _, so_far = deltas.get(counter.key, (counter, ZERO))
            deltas[counter.key] = (counter, so_far + amount)
    return dict(sorted(deltas.items()))


def _overrun(holds: Iterable[LockedHold], used: Mapping[UUID, Mapping[int | None, Decimal]]) -> set[UUID]:
    """Those whose calls used more than was held for them."""
    overrun = set()
    for hold in holds:
        by_counter = used.get(hold.id, {})
        taken = dict(hold.taken)  # nothing of one that has expired or was released: all that it used is over it
        if any(by_counter.get(counter_id, ZERO) > taken.get(counter_id, ZERO) for counter_id, _ in hold.parts):
            overrun.add(hold.id)
    return overrun


def _require(missing: Iterable[CounterOf]) -> None:
    """Those of periods long past need not be: what they would say is in the ledger, and nobody makes them any more."""
    open_ones = [one for one in missing if _is_open(one)]
    if open_ones:
        raise CountersMissing(open_ones)


def _is_open(counter: CounterOf) -> bool:
    return counter.period.end is None or datetime.now(UTC) < counter.period.end + KEPT_AFTER_END
