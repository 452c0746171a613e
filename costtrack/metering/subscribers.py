"""Callbacks of the host that get every recorded event: after its commit, in the process that wrote it, once, in order.

Each has a thread of its own, so that one that hangs starves neither metering nor the others. A callback that meters
gets the events that it made, too: let it stop itself.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from time import monotonic
from typing import TypeVar

from costtrack.metering.recorded import RecordedUsage
from costtrack.metering.subscriber_thread import (
    Subscriber,
    SubscriberHealth,
    check_callback,
    in_callback,
    is_same_callback,
)

C = TypeVar("C", bound=Callable[[RecordedUsage], object])

LONGEST_WAIT_SECONDS = 1.0
"""For how long a delivery waits for callbacks, all of them together."""
EVENTS_AT_ONCE = 1000
"""A longer delivery goes out in parts of this size, so that it does not overflow the queue of one that keeps up."""

_subscribers: tuple[Subscriber, ...] = ()
_lock = threading.RLock()


def subscribe(callback: C) -> C:
    """Call `callback(recorded_usage)` for every event recorded from now on; gives it back, so it can be a decorator.

    It is called on a thread of its own, which the writer waits for: up to a second for all callbacks, and not at all
    for one that is behind. While it is behind, up to 10,000 events wait for it; past that the newest are dropped for
    it, counted and logged. What it raises is logged and counted, and nothing else. It sees neither the caller's
    transaction nor its `attribute` block.

    The same callback twice is called once. It is held strongly, a bound method with its object, until
    `unsubscribe`. Subscriptions last as long as the process and are kept by a fork. Raises TypeError for what is not
    callable, and for an async or generator function: calling those would run nothing.
    """
    global _subscribers
    check_callback(callback)
    with _lock:
        if not any(is_same_callback(subscriber.callback, callback) for subscriber in _subscribers):
            _subscribers = (*_subscribers, Subscriber(callback))
    return callback


def unsubscribe(callback: Callable[[RecordedUsage], object]) -> bool:
    """Never call `callback` again, not even for events that wait for it; True if it was subscribed.

    One that was not is no error. A call that is running is not interrupted.
    """
    global _subscribers
    with _lock:
        gone = [subscriber for subscriber in _subscribers if is_same_callback(subscriber.callback, callback)]
        _subscribers = tuple(subscriber for subscriber in _subscribers if subscriber not in gone)
    for subscriber in gone:
        subscriber.close()
    return bool(gone)


def deliver(recorded: Sequence[RecordedUsage]) -> None:
    """Give every subscriber these events; call it after their commit, with those that were not delivered before.

    Returns when the callbacks are done, or after LONGEST_WAIT_SECONDS; does not wait for a subscriber that is behind
    since an earlier delivery, nor inside a callback. Raises nothing of theirs.
    """
    subscribers = _subscribers
    if not subscribers or not recorded:
        return
    waits = not in_callback.get()
    deadline = monotonic() + LONGEST_WAIT_SECONDS
    for start in range(0, len(recorded), EVENTS_AT_ONCE):
        part = recorded[start : start + EVENTS_AT_ONCE]
        given = [(subscriber, subscriber.give(part)) for subscriber in subscribers]
        for subscriber, done in given if waits else ():
            if done is not None:
                subscriber.wait_for(done, until=deadline)


def drain(timeout_seconds: float = 10.0) -> bool:
    """Wait until every subscriber has had what waits for it; False if that took longer than the timeout.

    For a clean exit, after the last delivery: the threads are daemons, so what still waits is gone with the process.
    Does not wait inside a callback.
    """
    deadline = monotonic() + (0.0 if in_callback.get() else timeout_seconds)
    markers = [subscriber.end_of_queue() for subscriber in _subscribers]
    return all([done is None or done.wait(max(0.0, deadline - monotonic())) for done in markers])


def subscriber_health() -> tuple[SubscriberHealth, ...]:
    """How each subscriber of this process fares, in the order in which they subscribed."""
    return tuple(subscriber.health() for subscriber in _subscribers)


def _after_fork_in_child() -> None:
    """Threads die at a fork, and the events that wait are the parent's to deliver; the subscriptions stay."""
    global _lock
    _lock = threading.RLock()
    for subscriber in _subscribers:
        subscriber.start_afresh()


os.register_at_fork(after_in_child=_after_fork_in_child)
