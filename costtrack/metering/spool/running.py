"""The spool of this process: begun by its first event, begun anew in a forked child, and drained at a clean exit."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from costtrack.conf import settings
from costtrack.domain.events import UsageEvent
from costtrack.metering.spool.appender import Appender, SpoolClosed
from costtrack.metering.spool.booking import Booker
from costtrack.metering.spool.counters import Counters
from costtrack.metering.spool.dead_letters import DeadLetters
from costtrack.metering.spool.directory import SpoolUnusable, prepared_directory, spool_directory
from costtrack.metering.spool.exits import drain_where_atexit_does_not_run
from costtrack.metering.spool.flusher import Flusher
from costtrack.metering.spool.header import address_of
from costtrack.metering.spool.waiting import WaitingRoom

EXIT_SECONDS = 5.0
"""How long a clean exit waits at most for the ledger; what is not booked by then stays in the spool."""
UNUSABLE_SECONDS = 60.0
"""For so long an unusable directory is not tried again."""

logger = logging.getLogger("costtrack")


@dataclass(frozen=True, slots=True)
class RunningSpool:
    """The parts of the spool of this process."""

    appender: Appender
    flusher: Flusher
    waiting: WaitingRoom
    counters: Counters
    dead_letters: DeadLetters


_lock = threading.Lock()
_running: RunningSpool | None = None
_unusable_until = 0.0


def append(event: UsageEvent) -> None:
    """Spool one event: on disk when this returns. Raises SpoolUnusable, SpoolFull or OSError; then it is not."""
    while True:
        running = _running or _start()
        try:
            running.appender.append(event)
        except SpoolClosed:
            continue
        return


def append_all(events: Sequence[UsageEvent]) -> None:
    """Spool several events by one write; raises as `append`, and then none is spooled."""
    while True:
        running = _running or _start()
        try:
            running.appender.append_all(events)
        except SpoolClosed:
            continue
        return


def running() -> RunningSpool | None:
    """The spool of this process, None while it has not spooled anything."""
    return _running


def flush(timeout_seconds: float = 10.0) -> bool:
    """Wait until all that this process has spooled is booked; True if it is.

    What can not be booked counts as well, once it is kept as a dead letter, or waits for its organization.
    """
    current = _running
    return current is None or current.flusher.flush(timeout_seconds)


def stop(timeout_seconds: float = 10.0) -> bool:
    """Book what is spooled, end the flusher and close its connection; the next event starts it anew.

    False if not all could be booked in that time: it stays on disk, for the next process.
    """
    global _running
    with _lock:
        stopped, _running = _running, None
    if stopped is None:
        return True
    is_done = stopped.flusher.stop(timeout_seconds)
    stopped.appender.close()
    stopped.waiting.close()
    return is_done


def _start() -> RunningSpool:
    global _running, _unusable_until
    with _lock:
        if _running is not None:
            return _running
        if time.monotonic() < _unusable_until:
            raise SpoolUnusable("The spool's directory could not be used a moment ago.")
        try:
            directory = prepared_directory(spool_directory())
        except SpoolUnusable as error:
            _unusable_until = time.monotonic() + UNUSABLE_SECONDS
            logger.warning(
                "The spool can not be used: %s Usage is written to the database before each metered call returns, and "
                'is lost if that is away. Set COSTTRACK["SPOOL_DIR"] to a directory that this user may write.',
                error,
            )
            raise
        using, address = settings.database, address_of(settings.database)
        appender, waiting = Appender(directory, address=address), WaitingRoom(directory, address=address)
        counters, dead_letters = Counters(directory), DeadLetters(directory)
        booker = Booker(using=using, counters=counters, dead_letters=dead_letters, wait=waiting.add)
        flusher = Flusher(appender, using=using, address=address, booker=booker, counters=counters, waiting=waiting)
        with suppress(RuntimeError):  # the interpreter is ending: the events are on disk for the next process
            flusher.start()
        _running = RunningSpool(appender, flusher, waiting, counters, dead_letters)
        drain_where_atexit_does_not_run(_at_exit)
        return _running


def _at_exit() -> None:
    if not stop(EXIT_SECONDS):
        logger.warning("Not all usage could be booked before the exit; it stays in the spool.")


atexit.register(_at_exit)


def _before_fork() -> None:
    # A child must not be born with the lock taken, nor while a segment has no place in the list yet.
    if _lock.acquire(timeout=1.0) and _running is not None:
        _running.appender.lock.acquire(timeout=1.0)


def _after_fork_in_parent() -> None:
    if _running is not None and _running.appender.lock.locked():
        _running.appender.lock.release()
    if _lock.locked():
        _lock.release()


def _after_fork_in_child() -> None:
    """Begin without a spool: the parent books its own events, and its lock must end with it."""
    global _running, _lock
    inherited, _running = _running, None
    _lock = threading.Lock()
    if inherited is not None:
        inherited.appender.forget_in_child()
        inherited.waiting.close()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
