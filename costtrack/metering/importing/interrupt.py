"""Ctrl-C that waits for the batch at hand, so that what is said to have landed has landed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class PatientInterrupt:
    """While active, Ctrl-C raises KeyboardInterrupt; inside `held()` only at its end, unless it comes twice."""

    def __init__(self) -> None:
        self._is_holding = False
        self._is_pending = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._is_holding and not self._is_pending:
            self._is_pending = True
        else:
            raise KeyboardInterrupt

    @contextmanager
    def active(self) -> Iterator[None]:
        """Handle Ctrl-C; in another thread than the main one Python allows no handler, and nothing changes."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGINT, self._handle)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Finish what is inside before KeyboardInterrupt is raised."""
        self._is_holding = True
        try:
            yield
        finally:
            self._is_holding = False
            is_pending, self._is_pending = self._is_pending, False
        if is_pending:
            raise KeyboardInterrupt
