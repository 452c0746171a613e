"""Making reads take long, where a database has a limit for that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


def has_limit() -> bool:
    """Whether this database breaks off what takes too long; SQLite does not."""
    return connection.vendor == "postgresql"


def sleep(seconds: float) -> None:
    """A statement that takes as long; on SQLite one that does not."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_sleep({seconds})" if has_limit() else "SELECT 1")


def statement_timeout() -> str:
    """What holds in this transaction; "" on SQLite."""
    if not has_limit():
        return ""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout')")
        return str(cursor.fetchone()[0])


def set_statement_timeout(limit: str) -> None:
    """As the host's own settings could, until the transaction ends."""
    if has_limit():
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [limit])


@contextmanager
def locked_away(table: str) -> Iterator[None]:
    """While somebody changes the table's columns, whoever reads it waits (PostgreSQL)."""
    if not has_limit():
        yield
        return
    other = connection.copy()
    other.set_autocommit(False)
    try:
        with other.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield
    finally:
        other.rollback()
        other.close()
