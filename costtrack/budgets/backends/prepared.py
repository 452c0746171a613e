"""One value by one statement, over psycopg's own cursor, which may prepare it: it then takes less time.

Only where the site has said that its connections may prepare (OPTIONS has a `prepare_threshold`: nothing stands between
that hands a server's connection from client to client), and where nobody watches the statements of Django's cursors.
"""

from __future__ import annotations

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper


def value_of(connection: BaseDatabaseWrapper, statement: str, parameter: str) -> Any:
    """What `statement`, with its one `%s`, answers on PostgreSQL: the first column of its first row."""
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    may_prepare = getattr(connection.connection, "prepare_threshold", None) is not None  # psycopg 2 never prepares
    if may_prepare and not connection.execute_wrappers and not connection.queries_logged:
        return _prepared(connection, statement, parameter)
    with connection.cursor() as cursor:
        cursor.execute(statement, [parameter])
        return cursor.fetchone()[0]


def _prepared(connection: BaseDatabaseWrapper, statement: str, parameter: str) -> Any:
    """With the checks and the errors of Django's `cursor()` and `execute()`."""
    from psycopg import Cursor

    connection.validate_thread_sharing()
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors, Cursor(connection.connection) as cursor:
        cursor.execute(statement, [parameter], prepare=True)
        (value,) = cursor.fetchall()[0]
    return value
