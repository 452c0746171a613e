"""Booking a batch of spooled events: into the ledger, or, one by one, to where each one has to go instead."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured
from django.db import Error, InterfaceError, OperationalError
from django.utils.connection import ConnectionDoesNotExist

from costtrack.domain.events import UsageEvent
from costtrack.exceptions import CostTrackError
from costtrack.metering.ledger import RecordResult, RecordStatus, StaleRates, record_events
from costtrack.metering.lost import report_lost
from costtrack.metering.recorded import RecordedUsage, recorded_usage
from costtrack.metering.spool.counters import Counters
from costtrack.metering.spool.dead_letters import DeadLetter, DeadLetters
from costtrack.metering.spool.encoding import DamagedRecord, SpooledEvent
from costtrack.metering.spool.segment import Segment

BATCH_EVENTS = 1000
"""The most events of one transaction; longer ones hold the counters' locks too long."""
PATIENCE_SECONDS = 600
"""For so long an event waits for its organization, which a transaction may still have to commit."""

_OF_THE_DATABASE = frozenset({"08", "25", "28", "3D", "40", "42", "53", "55", "57", "58"})
"""Classes of SQLSTATE that say nothing about the rows (PostgreSQL, appendix A): connections, transaction states,
logins, a missing database, serialization and deadlocks, missing tables or rights, resources, locks, shutdowns, I/O."""

logger = logging.getLogger("costtrack")


class BookingDelayed(CostTrackError):
    """The database can take nothing now; nothing is lost, it is tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """What became of a batch."""

    recorded: Sequence[RecordedUsage]
    duplicates: int
    dead_letters: int
    waiting: int

    @property
    def records(self) -> int:
        """How many lines that were."""
        return len(self.recorded) + self.duplicates + self.dead_letters + self.waiting


class Booker:
    """Books batches; what the ledger refuses is kept with its reason before `book` returns."""

    def __init__(
        self,
        *,
        using: str,
        counters: Counters,
        dead_letters: DeadLetters,
        wait: Callable[[Sequence[SpooledEvent]], None],
    ) -> None:
        """`wait` keeps events, on disk, whose organization is not there yet."""
        self._using = using
        self._counters = counters
        self._dead_letters = dead_letters
        self._wait = wait
        self._attempted: set[int] = set()
        """Ledger ids of attempts that failed: if one landed after all, its events are told as recorded."""

    def book(self, events: Sequence[SpooledEvent], damaged: Sequence[DamagedRecord] = ()) -> Booked:
        """Book them. Raises BookingDelayed if the database is away: then some may be booked, a later try finds them."""
        results = self.results([one.event for one in events])
        self._attempted.clear()
        recorded: list[RecordedUsage] = []
        waiting: list[SpooledEvent] = []
        letters = [DeadLetter(reason=damage.reason, raw=damage.raw) for damage in damaged]
        duplicates = conflicts = 0
        patient_from_ms = time.time_ns() // 1_000_000 - PATIENCE_SECONDS * 1000
        for spooled, result in zip(events, results, strict=True):
            if result.status is RecordStatus.RECORDED:
                recorded.append(recorded_usage(spooled.event, result))
            elif result.status is RecordStatus.DUPLICATE:
                duplicates += 1
            elif result.may_succeed_later and _is_later(spooled.spooled_ms, patient_from_ms):
                waiting.append(spooled)
            else:
                conflicts += result.status is RecordStatus.CONFLICT
                letters.append(DeadLetter(reason=f"{result.status}: {result.reason}", event=spooled.event))
        if waiting:
            self._wait(waiting)
        if letters:
            self._keep(letters)
        self._counters.add(
            recorded=len(recorded),
            duplicates=duplicates,
            conflicts=conflicts,
            dead_letters=len(letters),
            damaged_lines=len(damaged),
        )
        return Booked(recorded=recorded, duplicates=duplicates, dead_letters=len(letters), waiting=len(waiting))

    def book_segment(self, segment: Segment) -> Iterator[Booked]:
        """Book a segment from where booking has come to up to its present end; raises as `book`.

        Each batch is marked as booked in the segment before it is given.
        """
        while (batch := segment.read(BATCH_EVENTS)).records:
            booked = self.book(batch.events, batch.damaged)
            segment.set_booked(batch.end)
            yield booked

    def results(self, events: Sequence[UsageEvent]) -> list[RecordResult]:
        """One result per event; an event that makes the whole batch fail is found by halving it. Raises as `book`."""
        if not events:
            return []
        try:
            return record_events(events, using=self._using, creates_partitions=True, attempted=self._attempted)
        except Exception as error:  # whatever one event provokes must not keep the others out of the ledger
            if is_of_the_database(error):
                raise BookingDelayed(_one_line(error)) from error
            if len(events) == 1:
                logger.exception("Usage %s can not be booked.", events[0].idempotency_key)
                key = events[0].idempotency_key
                return [RecordResult(status=RecordStatus.REJECTED, idempotency_key=key, reason=_one_line(error))]
        middle = len(events) // 2
        return self.results(events[:middle]) + self.results(events[middle:])

    def _keep(self, letters: Sequence[DeadLetter]) -> None:
        logger.error(
            "%d usage event(s) could not be booked and are kept in %s; the first: %s "
            "Mend the cause, then run `manage.py flush_usage --retry-dead-letters`.",
            len(letters),
            self._dead_letters.path,
            letters[0].reason,
        )
        try:
            self._dead_letters.add(letters)
        except OSError as error:
            for letter in letters:
                details = None if letter.event else {"damaged_line": letter.raw.decode("utf-8", "replace")}
                report_lost(letter.event, f"{letter.reason} (no dead letter could be written: {error})", details)


def is_of_the_database(error: BaseException) -> bool:
    """Whether the database, not an event, is the reason: it is away, locked, full, or its tables are not there yet."""
    if isinstance(error, (InterfaceError, StaleRates, ConnectionDoesNotExist, ImproperlyConfigured, MemoryError)):
        return True
    if not isinstance(error, Error):
        return False
    sqlstate = getattr(error.__cause__, "sqlstate", None)
    if sqlstate is None:  # SQLite; or PostgreSQL did not answer at all
        return isinstance(error, OperationalError)
    return sqlstate[:2] in _OF_THE_DATABASE


def _is_later(spooled_ms: object, than_ms: int) -> bool:
    """Of what other code wrote there, a damage that no checksum shows, nothing is: else it would stop all others."""
    return type(spooled_ms) is int and spooled_ms > than_ms


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:500]
