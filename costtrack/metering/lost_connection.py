"""Asking the database again where this thread's connection was lost: between requests nobody else makes a new one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connections

T = TypeVar("T")


def asked_again(work: Callable[[], T], *, using: str) -> T:
    """`work()`, which may be done twice: once more over a new connection, if the one to `using` turns out to be lost.

    Django closes such a connection when a request begins or ends; a script, or a worker between its tasks, has none.
    What was lost inside a transaction is its caller's to do again. Raises what the last `work()` raises.
    """
    try:
        return work()
    except (OperationalError, InterfaceError):
        connection = connections[using]
        if connection.vendor == "sqlite" or connection.in_atomic_block or connection.is_usable():
            raise
        connection.close()
        return work()
