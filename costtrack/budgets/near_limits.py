"""Which counters a process has just found to be near their limits: there the database admits."""

from __future__ import annotations

import time

from costtrack.budgets.counters import CounterKey

NEAR_SECONDS = 1.0
"""So long it is remembered."""
MOST = 10_000


class NearLimits:
    """The counters, each for a second."""

    def __init__(self) -> None:
        """None yet."""
        self._until: dict[CounterKey, float] = {}

    def note(self, key: CounterKey) -> None:
        """This one is."""
        if len(self._until) >= MOST:
            self._until = {}
        self._until[key] = time.monotonic() + NEAR_SECONDS

    def has(self, key: CounterKey) -> bool:
        """Whether it was, within the last second."""
        until = self._until.get(key) if self._until else None
        return until is not None and time.monotonic() < until
