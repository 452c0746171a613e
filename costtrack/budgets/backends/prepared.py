"""One value by one statement that the server keeps prepared, so that it takes less time.

Only where the site has said that its connections may prepare (OPTIONS has a `prepare_threshold`: nothing stands between
that hands a server's connection from client to client), and where nobody watches the statements of Django's cursors.
"""

from __future__ import annotations

import select
from contextlib import suppress
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

from django.db.backends.base.base import BaseDatabaseWrapper

GONE = ("26000", "0A000")
"""SQLSTATE where a prepared statement is not there any more (`DISCARD ALL`), or gives another type than it did."""

CANCEL_SECONDS = 1.0
"""How long an interrupted caller waits at most for the server to hear of it."""

_FINE = (1, 2)
"""libpq's ExecStatusType: PGRES_COMMAND_OK, PGRES_TUPLES_OK."""

_direct: WeakKeyDictionary[Any, _DirectStatements] = WeakKeyDictionary()
"""By psycopg's connection."""


def value_of(connection: BaseDatabaseWrapper, statement: str, parameter: str) -> Any:
    """What `statement`, with its one `%s`, answers on PostgreSQL: the first column of its first row, a text."""
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    may_prepare = getattr(connection.connection, "prepare_threshold", None) is not None  # psycopg 2 never prepares
    if may_prepare and not connection.execute_wrappers and not connection.queries_logged:
        if _may_be_asked_directly(connection):
            answer = _asked_directly(connection, statement, parameter)
            if answer is not None:
                return answer
        return _prepared(connection, statement, parameter)
    with connection.cursor() as cursor:
        cursor.execute(statement, [parameter])
        return cursor.fetchone()[0]


def _may_be_asked_directly(connection: BaseDatabaseWrapper) -> bool:
    """Whether a statement is a transaction of its own, and its answer comes at once."""
    raw: Any = connection.connection
    is_alone = not connection.in_atomic_block and raw.autocommit and not raw.pgconn.pipeline_status
    return is_alone and hasattr(select, "poll")


def _prepared(connection: BaseDatabaseWrapper, statement: str, parameter: str) -> Any:
    """By psycopg's cursor, with the checks and the errors of Django's `cursor()` and `execute()`."""
    from psycopg import Cursor

    connection.validate_thread_sharing()
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors, Cursor(connection.connection) as cursor:
        cursor.execute(statement, [parameter], prepare=True)
        (value,) = cursor.fetchall()[0]
    return value


def _asked_directly(connection: BaseDatabaseWrapper, statement: str, parameter: str) -> str | None:
    """By libpq, in a transaction of its own; None if it is not prepared any more, and nothing was done.

    Signal handlers run while it waits. Where one raises (Ctrl-C, a worker's time limit) nobody reads the answer any
    more, so the statement is cancelled, and the connection closed: what was reserved meanwhile expires.
    """
    import psycopg

    connection.validate_thread_sharing()
    raw: Any = connection.connection
    try:
        with connection.wrap_database_errors, raw.lock:
            statements = _direct.get(raw)
            if statements is None:
                statements = _direct[raw] = _DirectStatements(raw.pgconn)
            return statements.ask(statement, parameter)
    except BaseException as error:
        if not isinstance(error.__cause__, psycopg.Error):  # those have been read to their end
            with suppress(Exception):
                raw.cancel_safe(timeout=CANCEL_SECONDS)
            connection.close()
        raise


class _DirectStatements:
    """The statements that one connection has prepared."""

    def __init__(self, pgconn: Any) -> None:
        """None yet."""
        self._pgconn = pgconn
        self._names: dict[str, bytes] = {}
        self._numbers = count(1)
        self._poll = select.poll()

    def ask(self, statement: str, parameter: str) -> str | None:
        """The answer, or None where the server has forgotten the statement. Raises psycopg's errors."""
        import psycopg

        name = self._names.get(statement)
        if name is None:
            name = b"costtrack_%d" % next(self._numbers)
            self._pgconn.send_prepare(name, statement.replace("%s", "$1").encode())
            self._result()
            self._names[statement] = name
        self._pgconn.send_query_prepared(name, [parameter.encode()])
        try:
            value: bytes = self._result().get_value(0, 0)
        except psycopg.Error as error:
            if error.sqlstate not in GONE:
                raise
            del self._names[statement]
            return None
        return value.decode()

    def _result(self) -> Any:
        """Of what was sent. The socket does not block; whoever has replaced `select` waits in his way."""
        from psycopg.errors import error_from_result

        pgconn, poll = self._pgconn, self._poll
        while pgconn.flush():
            poll.register(pgconn.socket, select.POLLIN | select.POLLOUT)
            poll.poll()
            pgconn.consume_input()
        poll.register(pgconn.socket, select.POLLIN)
        while True:
            poll.poll()
            pgconn.consume_input()
            if not pgconn.is_busy():
                break
        result = pgconn.get_result()
        while (later := pgconn.get_result()) is not None:  # what fails at the commit comes behind the answer
            result = later if result.status in _FINE else result
        if result.status not in _FINE:
            raise error_from_result(result)
        return result
