"""Idempotency keys for usage that brings none."""

from __future__ import annotations

import itertools
import os

from costtrack.metering.per_process import PerProcess

_prefix = PerProcess(lambda: os.urandom(8).hex())
_next_number = itertools.count().__next__  # one step in C: no two threads are given the same


def fresh_key(clock_ns: int) -> str:
    """A key that nothing else has. `clock_ns` is the time now, in nanoseconds since 1970.

    64 random bits tell processes apart, a number the calls of one, and the clock the copies of a cloned machine.
    128 random bits for each key would be a system call each.
    """
    return f"{_prefix.get()}{clock_ns}-{_next_number()}"
