"""A lock on a file that is waited for only so long: its holder may be stopped, or hang on a disk that does."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager

LOOK_SECONDS = 0.002


@contextmanager
def locked(descriptor: int, *, within_seconds: float) -> Iterator[None]:
    """Hold the file's exclusive flock meanwhile. Raises BlockingIOError, an OSError, if somebody else keeps it."""
    deadline = time.monotonic() + within_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(LOOK_SECONDS)
    try:
        yield
    finally:
        # Closing would not do: a child that was forked meanwhile has a copy of the descriptor, and with it the lock.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
