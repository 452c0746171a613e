"""Reserving away from the caller's transaction, or its event loop: on threads that have connections of their own.

A hold inside the caller's transaction would vanish with its rollback, and keep everybody else waiting until its end.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

from django.db import connections

from costtrack.conf import settings

T = TypeVar("T")

MAX_THREADS = 8
"""Per process; a reservation takes one for about a millisecond."""
LONGEST_WAIT_SECONDS = 10.0


class _Threads:
    """The threads of one process: begun when they are needed, ended by `stop`."""

    def __init__(self) -> None:
        """None yet."""
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._idle = 0

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Begin `work()` on one of them."""
        future: Future[T] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)

        with self._lock:
            if self._idle <= 0 and len(self._threads) < MAX_THREADS:
                thread = threading.Thread(target=self._run, name="costtrack-reserve", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:  # no more threads, or the interpreter exits
                    if not self._threads:
                        future.set_exception(TimeoutError(f"A reservation has no thread: {error}"))
                        return future
                else:
                    self._threads.append(thread)
            else:
                self._idle -= 1
        self._work.put(run)
        return future

    def stop(self, timeout_seconds: float) -> None:
        """End them and their connections."""
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            thread.join(timeout_seconds)

    def _run(self) -> None:
        alias = settings.database
        try:
            while (work := self._work.get()) is not None:
                connections[alias].close_if_unusable_or_obsolete()
                work()
                with self._lock:
                    self._idle += 1
        finally:
            connections[alias].close()


_threads: dict[int, _Threads] = {}
"""By pid: a forked child has none of its parent's."""


def on_own_thread(work: Callable[[], T]) -> Future[T]:
    """Begin `work()` on a thread that has a connection of its own."""
    pid = os.getpid()
    threads = _threads.get(pid) or _threads.setdefault(pid, _Threads())
    return threads.submit(work)


def outside_transactions(work: Callable[[], T]) -> T:
    """`work()`, in no transaction of the caller's: right here if there is none, else on a thread of our own.

    Inline, and on SQLite, which has one writer, the caller's connection is the only one there is.
    """
    connection = connections[settings.database]
    if settings.is_inline() or connection.vendor == "sqlite":
        return work()
    is_inherited = any(raw is connection.connection for raw in _inherited)
    if not connection.in_atomic_block and connection.get_autocommit() and not is_inherited:
        return work()
    return on_own_thread(work).result(LONGEST_WAIT_SECONDS)


_inherited: list[Any] = []
"""Of a forked child: its parent's connections. Two processes on one socket take each other's answers. They are kept,
for a connection that is let go tells the server to end it."""


def _after_fork_in_child() -> None:
    opened = [one.connection for one in connections.all(initialized_only=True) if one.connection is not None]
    _inherited[:] = [raw for raw in [*_inherited, *opened] if raw is not None]


os.register_at_fork(after_in_child=_after_fork_in_child)


def end_threads(timeout_seconds: float = 2.0) -> None:
    """End the threads of this process; the next reservation begins new ones."""
    threads = _threads.pop(os.getpid(), None)
    if threads is not None:
        threads.stop(timeout_seconds)
