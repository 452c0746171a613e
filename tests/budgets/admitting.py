"""What tests of both admission backends do: reserve, settle, and read the counters."""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connections

from costtrack.budgets.admission import Granted
from costtrack.exceptions import BudgetExceeded
from costtrack.metering.ledger import record_events
from costtrack.models import Budget, BudgetCounter
from tests.budgets.asked import hold
from tests.factories import make_event, summed


class Counted(NamedTuple):
    """A counter's figures."""

    spent: Decimal
    held: Decimal
    leased: Decimal

    @property
    def taken(self) -> Decimal:
        """All of them: what a hard limit is a limit of."""
        return self.spent + self.held + self.leased


def counted(budget: Budget, subject: str = "") -> Counted:
    """What the budget's counter says."""
    counter = BudgetCounter.objects.get(budget=budget, subject=subject)
    return Counted(summed(counter.spent), summed(counter.held), summed(counter.leased))


def granted(cost: str | None = "0.1", **asked: Any) -> Granted:
    """One that must be granted."""
    found = hold(cost, **asked)
    assert found is not None
    assert found.hold_id is not None
    return found


def admitted(tries: int, cost: str = "0.1", **asked: Any) -> int:
    """How many of so many are granted, one after the other."""
    count = 0
    for _ in range(tries):
        try:
            count += hold(cost, **asked) is not None
        except BudgetExceeded:
            continue
    return count


def settle(one: Granted, **event: Any) -> None:
    """Record its call: 0.0045 USD, unless the fields say otherwise."""
    assert one.hold_id is not None
    record_events([make_event(hold_id=one.hold_id.hex, hold_leases=one.leases, **event)])


def in_threads(number: int, work: Callable[[], int]) -> int:
    """The sum of what `work` gives in so many threads at once, each with a connection of its own."""
    results: list[int] = []
    start = threading.Barrier(number)

    def run() -> None:
        try:
            start.wait(10)
            results.append(work())
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(results) == number
    return sum(results)
