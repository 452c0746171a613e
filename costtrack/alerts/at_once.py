"""Looking at thresholds at once, when usage is counted or a call is refused, and not only when the job runs."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from threading import Thread
from time import monotonic
from typing import Any
from weakref import WeakSet

from django.db import Error, connections, transaction

from costtrack.alerts.crossings import Crossing, refused
from costtrack.alerts.evaluate import raise_budget_alerts, raise_refused
from costtrack.models import BudgetCounter
from costtrack.signals import call_refused, counters_moved

logger = logging.getLogger("costtrack")
MOST_REMEMBERED = 1000
REMEMBERED_SECONDS = 30.0
_seen: OrderedDict[tuple[object, ...], float] = OrderedDict()
"""Refusals that this process has looked at, and when: a caller that tries again and again asks the database little."""

_raising: WeakSet[Thread] = WeakSet()
"""Threads that raise what was refused inside a transaction."""


def connect() -> None:
    """Listen, once per process."""
    counters_moved.connect(after_counting, dispatch_uid="costtrack.alerts.counting")
    call_refused.connect(after_refusal, dispatch_uid="costtrack.alerts.refusal")


def after_counting(sender: Any, *, counter_ids: Collection[int], using: str, **kwargs: Any) -> None:
    """Raise what the counters that moved have crossed."""
    try:
        raise_budget_alerts(counters=counter_ids, using=using)
    except Error as error:  # the usage is booked; the job will raise it
        logger.warning("Thresholds are looked at later: %s", error)


def after_refusal(
    sender: Any,
    *,
    budget_id: int,
    subject: str,
    period_start: datetime,
    limit: Decimal | None,
    using: str,
    **kwargs: Any,
) -> None:
    """Raise that a limit is reached; of the same refusal again this process asks only every 30 seconds.

    Inside a transaction, which the refusal will probably end, it is raised over a connection of its own. SQLite has but
    one writer: there it is raised in the transaction, and again at the next refusal if that is rolled back.
    """
    key = (using, budget_id, subject, period_start, limit)
    if monotonic() - _seen.get(key, float("-inf")) < REMEMBERED_SECONDS:
        return
    connection = connections[using]
    try:
        with transaction.atomic(using=using):  # a savepoint, so that a failure does not break the caller's transaction
            counters = BudgetCounter.objects.using(using).filter(
                budget=budget_id, subject=subject, period_start=period_start
            )
            found = [crossing for one in counters for crossing in refused(counter=one, using=using)]
        if not connection.in_atomic_block:
            raise_refused(found, using=using)
        elif connection.vendor == "sqlite":
            raise_refused(found, using=using)
            transaction.on_commit(lambda: _remember(key), using=using, robust=True)
            return
        elif found:
            thread = Thread(target=_raise_apart, args=(found, using), name="costtrack-alert", daemon=True)
            thread.start()
            _raising.add(thread)
    except Error as error:
        logger.warning("Thresholds are looked at later: %s", error)
        return
    _remember(key)


def _raise_apart(found: Sequence[Crossing], using: str) -> None:
    """On a thread, whose connection is its own, so that the caller waits for nothing."""
    try:
        raise_refused(found, using=using)
    except Exception as error:  # nobody waits for this thread; the job will raise it
        logger.warning("Thresholds are looked at later: %s", error)
    finally:
        connections.close_all()


def wait_for_raising(timeout_seconds: float) -> None:
    """Wait until what is raised over connections of its own is done, and they are closed."""
    deadline = monotonic() + timeout_seconds
    for thread in tuple(_raising):
        thread.join(max(0.0, deadline - monotonic()))


def _remember(key: tuple[object, ...]) -> None:
    _seen[key] = monotonic()
    _seen.move_to_end(key)
    while len(_seen) > MOST_REMEMBERED:
        _seen.popitem(last=False)
