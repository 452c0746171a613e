"""The flusher: a daemon thread that brings spooled events into the ledger over a connection of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import Error as DatabaseError
from django.db import connections

from costtrack.metering.spool.adoption import orphans, remove_abandoned
from costtrack.metering.spool.appender import Appender
from costtrack.metering.spool.booking import Booker, BookingDelayed
from costtrack.metering.spool.counters import Counters
from costtrack.metering.spool.installation import installation_uuid
from costtrack.metering.spool.segment import Segment
from costtrack.metering.spool.waiting import WaitingRoom
from costtrack.metering.subscribers import deliver

ROUND_SECONDS = 1.0
"""An event waits at most this long for its batch."""
ADOPT_SECONDS = 30.0
IDLE_SECONDS = 30.0
"""A connection that was not needed for so long is closed."""
FIRST_DELAY_SECONDS, LAST_DELAY_SECONDS = 0.5, 30.0
HURRY_SECONDS = 0.25
"""While somebody waits, the database is tried this often, however long it has been away."""

T = TypeVar("T")
logger = logging.getLogger("costtrack")


class Flusher:
    """Books what the appender spools, and what dead processes left, until it is stopped."""

    def __init__(
        self,
        appender: Appender,
        *,
        using: str,
        address: str,
        booker: Booker,
        counters: Counters,
        waiting: WaitingRoom,
    ) -> None:
        self.last_error = ""
        """Why the last attempt failed; "" after one that succeeded."""
        self.last_flush_at = 0.0
        """When something was last booked, in seconds since 1970."""
        self._appender = appender
        self._using = using
        self._address = address
        self._booker = booker
        self._counters = counters
        self._waiting = waiting
        self._round_done = threading.Condition()
        self._failures_in_a_row = 0
        self._try_again_at = 0.0
        self._adopt_at = 0.0
        self._used_at = 0.0
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="costtrack-flusher", daemon=True)

    def start(self) -> None:
        """Begin. Raises RuntimeError where no thread can start any more: at the interpreter's end."""
        self._thread.start()

    @property
    def is_this_thread(self) -> bool:
        """Whether the caller is the flusher itself, as a subscriber's code may be."""
        return threading.current_thread() is self._thread

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until all that is spooled now is booked; False if that took too long."""
        target = self._appender.spooled
        deadline = time.monotonic() + timeout_seconds
        with self._round_done:
            while self._appender.booked < target:
                left = deadline - time.monotonic()
                if left <= 0 or not self._thread.is_alive():
                    return False
                self._try_again_at = 0.0
                self._appender.wake.set()
                self._round_done.wait(min(left, HURRY_SECONDS))
        return True

    def stop(self, timeout_seconds: float) -> bool:
        """Book what is there, end the thread, close its connection; False if it could not be booked in time.

        It does not wait for a database that is away: what is spooled is there for whoever comes next.
        """
        self._is_stopping = True
        self._try_again_at = 0.0
        self._appender.wake.set()
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive() and self._appender.booked >= self._appender.spooled

    def _run(self) -> None:
        try:
            while not self._is_stopping:
                self._appender.wake.wait(ROUND_SECONDS)
                self._appender.wake.clear()
                self._round()
            if self._appender.booked < self._appender.spooled:
                self._try_again_at = 0.0
                self._round()
        finally:
            connections[self._using].close()
            with self._round_done:
                self._round_done.notify_all()

    def _round(self) -> None:
        now = time.monotonic()
        try:
            self._appender.tidy()
            if now < self._try_again_at:
                return
            self._book_all(now)
        except BookingDelayed as delay:
            self._failed(delay, str(delay))
        except Exception as error:  # the thread must live: whatever this was, the events are on disk
            if not self._failures_in_a_row:
                logger.exception("The flusher failed; it tries again.")
            self._failed(error, f"{type(error).__name__}: {error}")
        finally:
            with self._round_done:
                self._round_done.notify_all()

    def _book_all(self, now: float) -> None:
        is_due = now >= self._adopt_at
        if self._appender.booked < self._appender.spooled or is_due or self._waiting.due():
            self._used_at = now
            connections[self._using].close_if_unusable_or_obsolete()
            self._book_own()
            for segment in self._waiting.due():
                self._book(segment)
                segment.remove()
            if is_due and not self._is_stopping:
                self._adopt_at = now + ADOPT_SECONDS
                self._book_orphans()
            if self._failures_in_a_row:
                logger.warning("The flusher reaches the database again after %d attempts.", self._failures_in_a_row)
            self._failures_in_a_row, self._try_again_at, self.last_error = 0, 0.0, ""
        elif now - self._used_at > IDLE_SECONDS:
            connections[self._using].close()

    def _book_own(self) -> None:
        if self._appender.booked >= self._appender.spooled:
            return
        self._appender.set_installation(_asked(lambda: installation_uuid(using=self._using)))
        for segment in self._appender.segments():
            self._book(segment, counted=True)
        self._appender.tidy()

    def _book(self, segment: Segment, *, counted: bool = False) -> None:
        """Book a segment to its present end. `counted`: its events are this process's own."""
        for booked in self._booker.book_segment(segment):
            self.last_flush_at = time.time()
            if counted:
                self._appender.booked += booked.records
            with self._round_done:
                self._round_done.notify_all()
            deliver(booked.recorded)

    def _book_orphans(self) -> None:
        remove_abandoned(self._appender.directory)
        own = {segment.path for segment in self._appender.segments()} | self._waiting.paths()
        installation = _asked(lambda: installation_uuid(using=self._using))
        for segment in orphans(self._appender.directory, installation=installation, address=self._address, but=own):
            try:
                self._book(segment)
                segment.remove()
            finally:
                segment.close()
            self._book_own()

    def _failed(self, error: Exception, reason: str) -> None:
        connections[self._using].close()
        self.last_error = reason
        if not self._failures_in_a_row:
            logger.warning(
                "Usage can not be booked now, and stays in the spool %s: %s", self._appender.directory, reason
            )
        delay = min(LAST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2**self._failures_in_a_row)
        self._failures_in_a_row = min(self._failures_in_a_row + 1, 20)
        self._try_again_at = time.monotonic() + delay
        self._counters.add(flush_errors=1)


def _asked(question: Callable[[], T]) -> T:
    """What the database answers; BookingDelayed if it does not."""
    try:
        return question()
    except DatabaseError as error:
        raise BookingDelayed(f"{type(error).__name__}: {error}") from error
