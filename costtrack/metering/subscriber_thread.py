"""One subscriber: its callback, the events that wait for it, and the thread that calls it."""

from __future__ import annotations

import inspect
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from time import monotonic
from types import BuiltinMethodType, MethodType

from asgiref.sync import iscoroutinefunction

from costtrack.metering.recorded import RecordedUsage

logger = logging.getLogger("costtrack")

MAX_WAITING = 10_000
"""How many events may wait for a subscriber; past that the newest are dropped for it."""
LOG_EVERY_SECONDS = 10.0
"""A callback that raises is logged at most this often."""

in_callback: ContextVar[bool] = ContextVar("costtrack_in_callback", default=False)
"""True in a subscriber's thread and in what it starts with its context: waiting for callbacks there is for oneself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriberHealth:
    """How one subscriber fares in this process; what it was given is the sum of the four counts."""

    name: str
    """The callback's module and qualified name."""
    delivered: int
    """Events for which the callback returned."""
    raised: int
    dropped: int
    """Events that it never got, because MAX_WAITING others waited already."""
    behind: int
    """Events that wait for it, with the one that it is busy with."""


class Subscriber:
    """Calls its callback with one event after the other, on a daemon thread that the first event starts."""

    def __init__(self, callback: Callable[[RecordedUsage], object]) -> None:
        self.callback = callback
        self._name = _name_of(callback)
        self.start_afresh()

    def start_afresh(self) -> None:
        """Nothing waits, nothing is counted and no thread runs: as at the start, and in a forked child."""
        self._changed = threading.Condition()
        self._waiting: deque[RecordedUsage | threading.Event] = deque()
        """Events, and after those of a delivery a mark that is set once they are done and the connections closed."""
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._is_behind = False
        self._events_waiting = self._busy = 0
        self._delivered = self._raised = self._dropped = 0
        self._dropped_since_behind = 0
        self._logged_at = float("-inf")

    def give(self, events: Sequence[RecordedUsage]) -> threading.Event | None:
        """Let these events wait for the callback; what will be set when they are done, None if it is behind."""
        with self._changed:
            if self._is_closed:
                return None
            fitting = events[: max(0, MAX_WAITING - self._events_waiting)]
            dropped = len(events) - len(fitting)
            is_first_drop = dropped > 0 and not self._dropped_since_behind
            self._dropped += dropped
            self._dropped_since_behind += dropped
            self._waiting.extend(fitting)
            self._events_waiting += len(fitting)
            done = self._mark() if fitting else None
            self._start_thread()
            is_behind = self._is_behind
        if is_first_drop:
            logger.error(
                "Subscriber %s is %d events behind: it hangs or is too slow. The newest events are now dropped for it, "
                "until it has caught up; metering and other subscribers go on.",
                self._name,
                MAX_WAITING,
            )
        return None if is_behind else done

    def wait_for(self, done: threading.Event, *, until: float) -> None:
        """Wait for what `give` returned until that moment of the monotonic clock; from then on it is behind."""
        if done.wait(max(0.0, until - monotonic())):
            return
        with self._changed:
            if not done.is_set():
                self._is_behind = True

    def end_of_queue(self) -> threading.Event | None:
        """What is set once all that waits now is done; None if nothing does."""
        with self._changed:
            if not self._waiting and not self._busy:
                return None
            self._start_thread()
            last = self._waiting[-1] if self._waiting else None
            return last if isinstance(last, threading.Event) else self._mark()

    def close(self) -> None:
        """Forget what waits, and end the thread when the callback returns."""
        with self._changed:
            self._is_closed = True
            for each in self._waiting:
                if isinstance(each, threading.Event):
                    each.set()
            self._waiting.clear()
            self._events_waiting = 0
            self._changed.notify_all()

    def health(self) -> SubscriberHealth:
        """Its counts."""
        with self._changed:
            return SubscriberHealth(
                name=self._name,
                delivered=self._delivered,
                raised=self._raised,
                dropped=self._dropped,
                behind=self._events_waiting + self._busy,
            )

    def _mark(self) -> threading.Event:
        done = threading.Event()
        self._waiting.append(done)
        return done

    def _start_thread(self) -> None:
        self._changed.notify_all()
        if self._thread is not None and self._thread.is_alive():
            return
        thread = threading.Thread(target=self._run, name=f"costtrack subscriber {self._name}", daemon=True)
        self._thread, self._busy = thread, 0
        try:
            thread.start()
        except RuntimeError as error:  # no more threads, or the interpreter exits; the next event tries again
            self._thread, self._is_behind = None, True
            logger.error("Subscriber %s has no thread, its events wait: %s", self._name, error)

    def _run(self) -> None:
        in_callback.set(True)
        this = threading.current_thread()
        while (each := self._next(this)) is not None:
            if isinstance(each, threading.Event):
                _close_connections(only_old=True)
                each.set()
                continue
            raised = self._call(each)
            with self._changed:
                self._busy = 0
                self._raised += raised
                self._delivered += not raised
        if self._thread is this:  # else this is a child, forked by the callback, and the connections are its parent's
            _close_connections(only_old=False)

    def _next(self, this: threading.Thread) -> RecordedUsage | threading.Event | None:
        """What comes next, when it comes; None when there is nothing more to do for this thread."""
        with self._changed:
            while not self._is_closed and self._thread is this:
                if self._waiting:
                    each = self._waiting.popleft()
                    if not isinstance(each, threading.Event):
                        self._events_waiting -= 1
                        self._busy = 1
                    return each
                self._caught_up()
                self._changed.wait()
            return None

    def _caught_up(self) -> None:
        self._is_behind = False
        if self._dropped_since_behind:
            logger.error(
                "Subscriber %s has caught up. It never got %d events; they are in the ledger.",
                self._name,
                self._dropped_since_behind,
            )
            self._dropped_since_behind = 0

    def _call(self, recorded: RecordedUsage) -> bool:
        """Call the callback; whether it raised."""
        try:
            result: object = self.callback(recorded)
            if inspect.iscoroutine(result):
                result.close()
                raise TypeError("The callback returned a coroutine, which nobody awaits; call it with async_to_sync.")
        except BaseException as error:  # the boundary: not even a SystemExit may end the thread
            if monotonic() - self._logged_at >= LOG_EVERY_SECONDS:
                self._logged_at = monotonic()
                logger.error(
                    "Subscriber %s raised %s. Raised so far: %d; logged every %d s at most.",
                    self._name,
                    type(error).__name__,
                    self._raised + 1,
                    LOG_EVERY_SECONDS,
                    exc_info=error,
                )
            return True
        return False


def check_callback(callback: object) -> None:
    """Raise TypeError unless a plain synchronous call of it does something."""
    if not callable(callback):
        raise TypeError(f"subscribe: got {callback!r}, expected a function that takes a RecordedUsage.")
    for called in (callback, type(callback).__call__):
        if iscoroutinefunction(called):
            raise TypeError(
                f"subscribe: {callback!r} is async, and callbacks are called synchronously on a thread. "
                "Wrap it: subscribe(asgiref.sync.async_to_sync(callback))."
            )
        if inspect.isgeneratorfunction(called) or inspect.isasyncgenfunction(called):
            raise TypeError(f"subscribe: {callback!r} is a generator function: calling it would run nothing of it.")


def is_same_callback(one: object, other: object) -> bool:
    """The same object, or the same method of the same object: each access to a method makes a new one."""
    return one is other or (isinstance(one, MethodType | BuiltinMethodType) and one == other)


def _name_of(callback: object) -> str:
    while isinstance(callback, partial):
        callback = callback.func
    named = callback if hasattr(callback, "__qualname__") else type(callback)
    return ".".join(filter(None, (getattr(named, "__module__", None), getattr(named, "__qualname__", "?"))))


def _close_connections(*, only_old: bool) -> None:
    """As around a request: the thread has connections of its own, which nobody else would ever close."""
    from django.conf import settings

    if settings.configured:  # else the callback cannot have used a database
        from django.db import close_old_connections, connections

        if only_old:
            close_old_connections()
        else:
            connections.close_all()
