"""The lock that lets one fold or rebuild work at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections, transaction


@contextmanager
def exclusive_summaries(*, using: str, repeatable_read: bool = False) -> Iterator[None]:
    """A transaction in which no other fold or rebuild runs.

    The lock is the transaction's first statement, before its snapshot is taken: whoever waited for it sees
    what the one before has done. It ends with the transaction, so a connection pool may be in between.
    """
    connection = connections[using]
    is_outermost = not connection.in_atomic_block
    with transaction.atomic(using=using):
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                if repeatable_read and is_outermost:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                # LOCK TABLE takes no snapshot, where a SELECT of an advisory lock would.
                cursor.execute("LOCK TABLE costtrack_dailycostsummary IN SHARE UPDATE EXCLUSIVE MODE")
        elif connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                # Takes the write lock at once, also where transactions begin as readers.
                cursor.execute("UPDATE costtrack_dailycostsummary SET id = id WHERE 0")
        yield
