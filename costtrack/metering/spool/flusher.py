"""The flusher: a daemon thread that brings spooled events into the ledger over a connection of its own."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import Error as DatabaseError
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from costtrack.metering.spool.adoption import orphans, remove_abandoned
from costtrack.metering.spool.appender import Appender
from costtrack.metering.spool.booking import Booker, BookingDelayed
from costtrack.metering.spool.counters import Counters
from costtrack.metering.spool.directory import SEGMENT_SUFFIX
from costtrack.metering.spool.installation import installation_uuid
from costtrack.metering.spool.segment import Segment
from costtrack.metering.spool.waiting import WaitingRoom
from costtrack.metering.subscribers import deliver

ROUND_SECONDS = 1.0
"""An event waits at most this long for its batch."""
ADOPT_SECONDS = 30.0
IDLE_SECONDS = 60.0
"""A connection that was not needed for so long is closed."""
FIRST_DELAY_SECONDS, LAST_DELAY_SECONDS = 0.5, 30.0
HURRY_SECONDS = 0.25
"""While somebody waits, the database is tried this often, however long it has been away."""
FORK_GAP_SECONDS = 0.001
"""For so long SQLite is left alone between two batches, so that whoever wants to fork can."""

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
        self.is_sqlite = connections[using].vendor == "sqlite"
        self.at_work = threading.Lock()
        """Held while the database is used; a fork waits for it where that is SQLite."""
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
        self._thread: threading.Thread | None = None
        self._connection: BaseDatabaseWrapper | None = None
        """The thread's own, kept for `forget_in_child`."""

    def ensure_running(self) -> None:
        """Start the thread if there is none; where none can start, events stay on disk for the next process."""
        if self._is_alive or self._is_stopping or sys.is_finalizing():  # there a start would wait for ever
            return
        self._thread = threading.Thread(target=self._run, name="costtrack-flusher", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:  # no more threads, or the interpreter exits
            self._thread, self.last_error = None, f"The flusher has no thread: {error}"
            logger.error("Usage stays in the spool %s: %s", self._appender.directory, self.last_error)

    @property
    def _is_alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until all that is spooled now is booked; False if that took too long."""
        target = self._appender.spooled
        deadline = time.monotonic() + timeout_seconds
        hurry_at = 0.0
        self.ensure_running()
        with self._round_done:
            while self._appender.booked < target:
                now = time.monotonic()
                if now >= deadline or not self._is_alive:
                    return False
                if now >= hurry_at:
                    hurry_at = now + HURRY_SECONDS
                    self._try_again_at = 0.0
                    self._appender.wake.set()
                self._round_done.wait(min(deadline - now, HURRY_SECONDS))
        return True

    def stop(self, timeout_seconds: float) -> bool:
        """Book what is there, end the thread, close its connection; False if it could not be booked in time.

        It does not wait for a database that is away: what is spooled is there for whoever comes next.
        """
        self._is_stopping = True
        self._try_again_at = 0.0
        self._appender.wake.set()
        if self._thread is not None:
            self._thread.join(timeout_seconds)
        return not self._is_alive and self._appender.booked >= self._appender.spooled

    @property
    def is_gone(self) -> bool:
        """Whether its thread has ended, so that nobody reads the segments any more."""
        return not self._is_alive

    def forget_in_child(self) -> None:
        """After a fork: with a copy of its socket here, the database would not see the parent die in mid-transaction.

        What the dead parent has locked would stay locked then for as long as this process lives.
        """
        connection: Any = self._connection.connection if self._connection else None
        if hasattr(connection, "fileno"):  # psycopg's; SQLite has no socket
            with suppress(Exception):  # it is closed already
                os.close(connection.fileno())

    def _run(self) -> None:
        self._connection = connections[self._using]
        try:
            while not self._is_stopping:
                self._appender.wake.wait(ROUND_SECONDS)
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
            self._tidy()
            if now < self._try_again_at:
                return
            with self.at_work:
                try:
                    self._book_all(now)
                finally:
                    self._leave_sqlite()
        except BookingDelayed as delay:
            with suppress(Exception):  # as below
                self._failed(delay, str(delay))
        except Exception as error:  # the thread must live: whatever this was, the events are on disk
            with suppress(Exception):  # even where a host's logging raises
                if not self._failures_in_a_row:
                    logger.exception("The flusher failed; it tries again.")
                self._failed(error, f"{type(error).__name__}: {error}")
        finally:
            with self._round_done:
                self._round_done.notify_all()

    def _book_all(self, now: float) -> None:
        is_due = now >= self._adopt_at and not self._is_stopping
        if is_due:
            self._adopt_at = now + ADOPT_SECONDS
            remove_abandoned(self._appender.directory)
        adopts = is_due and self._others_left_something()
        if self._appender.booked < self._appender.spooled or adopts or self._waiting.due():
            if now - self._used_at > ROUND_SECONDS * 5:
                connections[self._using].close_if_unusable_or_obsolete()
            self._used_at = now
            self._book_own()
            for segment in self._waiting.due():
                self._book(segment)
                segment.remove()
            if adopts:
                self._book_orphans()
            if self._failures_in_a_row:
                logger.warning("The flusher reaches the database again after %d attempts.", self._failures_in_a_row)
            self._failures_in_a_row, self._try_again_at, self.last_error = 0, 0.0, ""
        elif now - self._used_at > IDLE_SECONDS:
            connections[self._using].close()

    def _tidy(self) -> None:
        try:
            self._appender.tidy()
        except OSError as error:  # what can be booked must be, whatever the disk does
            logger.error("The spool %s can not be tidied: %s", self._appender.directory, error)

    def _book_own(self) -> None:
        if self._appender.booked >= self._appender.spooled:
            return
        self._ask_for_installation()
        for segment in self._appender.segments():
            self._book(segment, counted=True)
        self._tidy()

    def _book(self, segment: Segment, *, counted: bool = False) -> None:
        """Book a segment to its present end. `counted`: its events are this process's own."""
        for booked in self._booker.book_segment(segment):
            if counted:
                self._appender.booked += booked.records
            with self._round_done:
                self._round_done.notify_all()
            deliver(booked.recorded)
            if self._leave_sqlite():
                self.at_work.release()
                time.sleep(FORK_GAP_SECONDS)
                self.at_work.acquire()

    def _leave_sqlite(self) -> bool:
        """SQLite keeps its locks per process: a child that is forked while a connection is open could never write."""
        if self.is_sqlite:
            connections[self._using].close()
        return self.is_sqlite

    def _others_left_something(self) -> bool:
        return any(path not in self._own_paths() for path in self._appender.directory.glob(f"*{SEGMENT_SUFFIX}"))

    def _own_paths(self) -> set[Path]:
        return {segment.path for segment in self._appender.segments()} | self._waiting.paths()

    def _book_orphans(self) -> None:
        installation = self._ask_for_installation()
        directory, own = self._appender.directory, self._own_paths()
        for segment in orphans(directory, installation=installation, address=self._address, but=own):
            try:
                if self._is_stopping:  # the next process goes on
                    return
                self._book(segment)
                segment.remove()
            finally:
                segment.close()
            self._book_own()

    def _ask_for_installation(self) -> UUID:
        try:
            self._waiting.installation = installation = installation_uuid(using=self._using)
        except DatabaseError as error:
            raise BookingDelayed(f"{type(error).__name__}: {error}") from error
        self._appender.set_installation(installation)
        return installation

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
