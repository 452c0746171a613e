"""The spool of this process: begun by its first event, begun anew in a forked child, and drained at a clean exit."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from costtrack.conf import settings
from costtrack.domain.events import UsageEvent
from costtrack.metering.exits import watch_this_process
from costtrack.metering.per_process import PerProcess
from costtrack.metering.spool.appender import Appender, SpoolBusy, SpoolClosed
from costtrack.metering.spool.booking import Booker
from costtrack.metering.spool.counters import Counters
from costtrack.metering.spool.dead_letters import DeadLetters
from costtrack.metering.spool.directory import SpoolUnusable, prepared_directory, spool_directory
from costtrack.metering.spool.encoding import encode
from costtrack.metering.spool.flusher import Flusher
from costtrack.metering.spool.header import address_of
from costtrack.metering.spool.waiting import WaitingRoom

UNUSABLE_SECONDS = 60.0
"""For so long an unusable directory is not tried again."""
FORK_SECONDS = 1.0
"""How long a fork waits at most for each lock."""

logger = logging.getLogger("costtrack")


@dataclass(frozen=True, slots=True)
class RunningSpool:
    """The parts of the spool of this process."""

    appender: Appender
    flusher: Flusher
    waiting: WaitingRoom
    counters: Counters
    dead_letters: DeadLetters


class _Process:
    """What one process keeps."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        """Held while the spool starts, and while it is taken away."""
        self.is_starting = False
        """Whether the thread that has the lock is in the middle of a start."""
        self.running: RunningSpool | None = None
        self.unusable_until = 0.0


_processes: dict[int, _Process] = {}
"""By pid, for a child must not use its parent's spool, and not every fork is one that Python knows of (uWSGI's)."""


def _by_pid() -> _Process:
    pid = os.getpid()
    return _processes.get(pid) or _processes.setdefault(pid, _Process())


_here = PerProcess(_by_pid).get


def append(event: UsageEvent) -> None:
    """Spool one event: on disk when this returns. Raises SpoolUnusable, SpoolFull or OSError; then it is not."""
    line = encode(event, time.time_ns() // 1_000_000)
    while True:
        running = _here().running or _start()
        try:
            running.appender.append(line, count=1, is_urgent=event.hold_id != "")
        except SpoolClosed:
            continue
        return


def append_all(events: Sequence[UsageEvent]) -> None:
    """Spool several events by one write; raises as `append`, and then none is spooled."""
    while True:
        running = _here().running or _start()
        try:
            running.appender.append_all(events)
        except SpoolClosed:
            continue
        return


def running() -> RunningSpool | None:
    """The spool of this process, None while it has not spooled anything."""
    return _here().running


def flush(timeout_seconds: float = 10.0) -> bool:
    """Wait until all that this process has spooled is booked; True if it is.

    What can not be booked counts as well, once it is kept as a dead letter, or waits for its organization.
    """
    current = _here().running
    return current is None or current.flusher.flush(timeout_seconds)


def stop(timeout_seconds: float = 10.0) -> bool:
    """Book what is spooled, end the flusher and close its connection; the next event starts it anew.

    False if not all could be booked in that time: it stays on disk, for the next process.
    """
    here = _here()
    with here.lock:
        stopped, here.running = here.running, None
    if stopped is None:
        return True
    is_done = stopped.flusher.stop(timeout_seconds)
    if stopped.flusher.is_gone:  # else it still reads them; they are let go with the process
        stopped.appender.close()
        stopped.waiting.close()
    return is_done


def drain(timeout_seconds: float) -> None:
    """Stop at the end of the process; what can not be booked in that time is logged, and stays on disk."""
    if not stop(timeout_seconds):
        logger.warning("Not all usage could be booked before the exit; it stays in the spool.")


def _start() -> RunningSpool:
    here = _here()
    with here.lock:
        if here.is_starting:  # a finalizer or a signal handler, in the middle of this very function
            raise SpoolBusy("This thread is just starting the spool.")
        try:
            here.is_starting = True
            return here.running or _started(here)
        finally:
            here.is_starting = False


def _started(here: _Process) -> RunningSpool:
    if time.monotonic() < here.unusable_until:
        raise SpoolUnusable("The spool's directory could not be used a moment ago.")
    _forget_parents()
    try:
        directory = prepared_directory(spool_directory())
    except SpoolUnusable as error:
        here.unusable_until = time.monotonic() + UNUSABLE_SECONDS
        logger.warning(
            "The spool can not be used: %s Usage is written to the database before each metered call returns, and "
            'goes to the log if that is away. Set COSTTRACK["SPOOL_DIR"] to a directory that this user may write.',
            error,
        )
        raise
    using, address = settings.database, address_of(settings.database)
    appender, waiting = Appender(directory, address=address), WaitingRoom(directory, address=address)
    counters, dead_letters = Counters(directory), DeadLetters(directory)
    booker = Booker(using=using, address=address, counters=counters, dead_letters=dead_letters, wait=waiting.add)
    flusher = Flusher(appender, using=using, address=address, booker=booker, counters=counters, waiting=waiting)
    here.running = RunningSpool(appender, flusher, waiting, counters, dead_letters)
    appender.on_batch = flusher.ensure_running
    flusher.ensure_running()
    watch_this_process()
    return here.running


def _forget_parents() -> None:
    """Close what a fork has copied from the parent, whose locks on its segments must end with it."""
    for pid in [pid for pid in list(_processes) if pid != os.getpid()]:
        process = _processes.pop(pid, None)
        if process is not None and process.running is not None:
            process.running.appender.forget_in_child()
            process.running.flusher.forget_in_child()
            process.running.waiting.close()


_held = threading.local()


def _before_fork() -> None:
    # A child must not be born while a segment has no place in the appender's list yet: it would keep its lock for as
    # long as it lives; nor while the flusher has a connection to SQLite. Whoever hangs with one of these locks does not
    # keep the host from forking.
    _held.locks = []
    here = _here()
    _hold(here.lock)
    if here.running is not None:
        if here.running.flusher.is_sqlite:
            _hold(here.running.flusher.at_work)
        _hold(here.running.appender.lock)


def _hold(lock: Any) -> None:
    if lock.acquire(timeout=FORK_SECONDS):
        _held.locks.append(lock)


def _after_fork_in_parent() -> None:
    for lock in getattr(_held, "locks", ()):  # () where another thread has imported this during the fork
        lock.release()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_forget_parents)
