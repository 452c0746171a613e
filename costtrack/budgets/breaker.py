"""A circuit breaker: what fails again and again is left alone for a while, so that callers do not wait for it."""

from __future__ import annotations

import threading
import time

FAILURES_TO_OPEN = 3
OPEN_SECONDS = 5.0


class Breaker:
    """Open after three failures in a row, for five seconds; then one caller probes, and his luck decides."""

    def __init__(self) -> None:
        """Closed."""
        self._lock = threading.Lock()
        self._failures = 0
        self._asks_again_at = 0.0

    @property
    def is_closed(self) -> bool:
        """Whether all went well last."""
        return self._failures < FAILURES_TO_OPEN

    def allows(self) -> bool:
        """Whether this caller may try. While it is open, one may every five seconds."""
        if self.is_closed:
            return True
        with self._lock:
            now = time.monotonic()
            if now < self._asks_again_at:
                return False
            self._asks_again_at = now + OPEN_SECONDS  # the others wait for this one
            return True

    def succeeded(self) -> None:
        """It works (again)."""
        if self._failures:
            with self._lock:
                self._failures = 0

    def failed(self) -> bool:
        """It did not. True if that opened the breaker."""
        with self._lock:
            self._failures += 1
            self._asks_again_at = time.monotonic() + OPEN_SECONDS
            return self._failures == FAILURES_TO_OPEN
