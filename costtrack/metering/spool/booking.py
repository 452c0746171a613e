"""Booking a batch of spooled events: into the ledger, or, one by one, to where each one has to go instead."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, Error, InterfaceError, OperationalError, connections
from django.utils.connection import ConnectionDoesNotExist

from costtrack.domain.events import UsageEvent
from costtrack.exceptions import CostTrackError
from costtrack.metering.ledger import RecordResult, RecordStatus, StaleRates, record_events
from costtrack.metering.ledger.record import Attempts
from costtrack.metering.lost import report_lost
from costtrack.metering.recorded import RecordedUsage, recorded_usage
from costtrack.metering.spool.counters import Counters
from costtrack.metering.spool.dead_letters import DeadLetter, DeadLetters
from costtrack.metering.spool.encoding import DamagedRecord, SpooledEvent
from costtrack.metering.spool.header import address_of
from costtrack.metering.spool.segment import Segment

BATCH_EVENTS = 1000
"""The most events of one transaction; longer ones hold the counters' locks too long."""
PATIENCE_SECONDS = 600
"""For so long an event waits for its organization, which a transaction may still have to commit."""

_OF_THE_DATABASE = frozenset(
    {"08", "0A", "24", "25", "26", "28", "34", "3D", "40", "42", "53", "55", "57", "58", "F0", "XX"}
)
"""Classes of SQLSTATE that say nothing about the rows (PostgreSQL, appendix A): connections, stale plans,
transaction states, cursors and prepared statements (which a connection pool may lose), logins, a missing database,
serialization and deadlocks, missing tables or rights, resources, locks, shutdowns, I/O, a damaged file."""

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
    organizations: frozenset[str] = frozenset()
    """Those that the waiting ones wait for."""

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
        address: str,
        counters: Counters,
        dead_letters: DeadLetters,
        wait: Callable[[Sequence[SpooledEvent]], None],
    ) -> None:
        """`wait` keeps events, on disk, whose organization is not there yet."""
        self._using = using
        self._address = address
        self._counters = counters
        self._dead_letters = dead_letters
        self._wait = wait
        self._awaited: set[str] = set()
        """Organizations that were told to be missing; each is told once."""
        self._attempted: set[int] = set()
        """Ledger ids of attempts that may have landed although they failed: their events are told as recorded."""

    def book(self, events: Sequence[SpooledEvent], damaged: Sequence[DamagedRecord] = ()) -> Booked:
        """Book them. Raises BookingDelayed if the database is away: then some may be booked, a later try finds them."""
        results = self.results([one.event for one in events])
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
            self._tell_of(waiting)
        if letters:
            self._keep(letters)
        self._counters.add(
            recorded=len(recorded),
            duplicates=duplicates,
            conflicts=conflicts,
            dead_letters=len(letters),
            damaged_lines=len(damaged),
        )
        return Booked(
            recorded=recorded,
            duplicates=duplicates,
            dead_letters=len(letters),
            waiting=len(waiting),
            organizations=frozenset(one.event.attribution.organization for one in waiting),
        )

    def book_segment(self, segment: Segment) -> Iterator[Booked]:
        """Book a segment from where booking has come to up to its present end; raises as `book`.

        Each batch is marked as booked in the segment before it is given.
        """
        while (batch := segment.read(BATCH_EVENTS)).records:
            booked = self.book(batch.events, batch.damaged)
            try:
                segment.set_booked(batch.end)
            except OSError as error:  # the disk, not the database: go on, and at worst meet the same keys again
                logger.error("How far %s is booked can not be noted: %s", segment.path, error)
            self._attempted.clear()
            yield booked

    def results(self, events: Sequence[UsageEvent]) -> list[RecordResult]:
        """One result per event; an event that makes the whole batch fail is found by halving it. Raises as `book`."""
        return self._results(events, Attempts(earlier=frozenset(self._attempted), now=self._attempted))

    def _results(self, events: Sequence[UsageEvent], attempts: Attempts) -> list[RecordResult]:
        if not events:
            return []
        try:
            self._check_database()
            return record_events(events, using=self._using, creates_partitions=True, attempts=attempts)
        except BookingDelayed:
            raise
        except Exception as error:  # whatever one event provokes must not keep the others out of the ledger
            if is_of_the_database(error):
                raise BookingDelayed(_one_line(error)) from error
            if len(events) == 1:
                logger.exception("Usage %s can not be booked.", events[0].idempotency_key)
                key = events[0].idempotency_key
                return [RecordResult(status=RecordStatus.REJECTED, idempotency_key=key, reason=_one_line(error))]
        middle = len(events) // 2
        return self._results(events[:middle], attempts) + self._results(events[middle:], attempts)

    def _tell_of(self, waiting: Sequence[SpooledEvent]) -> None:
        slugs = {one.event.attribution.organization for one in waiting} - self._awaited
        self._awaited |= slugs
        for slug in sorted(slugs):
            logger.warning(
                "Usage of the organization %r waits: there is none of that name. Create it within ten minutes, or "
                "retry what is then in %s once it is there.",
                slug,
                self._dead_letters.path,
            )

    def _check_database(self) -> None:
        if address_of(self._using) != self._address:  # the end of a test run puts the real name back
            raise BookingDelayed(f"The database {self._using!r} is another one than when these events were metered.")
        if not connections[self._using].get_autocommit():
            raise BookingDelayed(f"AUTOCOMMIT is off for the database {self._using!r}: nothing would be committed.")

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
    if sqlstate is None:  # SQLite, whose "malformed" is a plain DatabaseError; or PostgreSQL did not answer at all
        return isinstance(error, OperationalError) or type(error) is DatabaseError
    return sqlstate[:2] in _OF_THE_DATABASE


def _is_later(spooled_ms: object, than_ms: int) -> bool:
    """Of what other code wrote there, a damage that no checksum shows, nothing is: else it would stop all others."""
    return type(spooled_ms) is int and spooled_ms > than_ms


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:500]
