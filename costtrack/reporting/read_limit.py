"""How long a reader may keep the database busy: no statement takes longer than COSTTRACK["READ_TIMEOUT_MS"]."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

from django.db import Error, OperationalError, connections, transaction

from costtrack.conf import settings
from costtrack.exceptions import CostTrackError

QUERY_CANCELED = "57014"
LIMIT = """
WITH found AS MATERIALIZED (SELECT current_setting('statement_timeout') AS before),
     told AS MATERIALIZED (
         SELECT before, least(nullif(extract(epoch FROM before::interval) * 1000, 0), {most})::bigint AS most FROM found
     )
SELECT before, most, set_config('statement_timeout', most || 'ms', true) FROM told
"""
"""Until the transaction ends; a shorter limit that holds already stays, and 0 is none."""


class ReadTooLong(CostTrackError):
    """The database has broken off a statement that took too long."""

    def __init__(self, limit_ms: int) -> None:
        super().__init__(f"This took longer than {limit_ms:,} ms: ask for a shorter period, or for fewer rows.")


@contextmanager
def limited_reading(using: str) -> Iterator[None]:
    """One transaction in which no statement takes longer than it may (PostgreSQL); ReadTooLong if one would have.

    Inside a caller's transaction that one goes on, and has its own limit again afterwards; with ReadTooLong it has
    failed. On SQLite, and with a limit of 0, nothing is done.
    """
    connection = connections[using]
    most = settings.read_timeout_ms
    if connection.vendor != "postgresql" or not most:
        yield
        return
    is_inside = connection.in_atomic_block
    with nullcontext() if is_inside else transaction.atomic(using=using):
        before, limit_ms, _ = _tell(connection, LIMIT.format(most=most))
        try:
            yield
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", None) == QUERY_CANCELED:
                raise ReadTooLong(limit_ms) from error
            raise
        finally:
            if is_inside:
                with suppress(Error):  # the transaction has failed, or the connection: nothing follows there
                    _tell(connection, "SELECT set_config('statement_timeout', %s, true)", before)


def _tell(connection: Any, sql: str, *values: str) -> Any:
    """One row of the database's, asked by the driver: it is no query of the view's, and not in Django's log of them."""
    with connection.wrap_database_errors:
        return connection.connection.execute(sql, values or None).fetchone()
