"""How a batch's rows reach each database. Both write keys first, then the ledger, then pending summaries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol

from django.core.exceptions import ImproperlyConfigured
from django.db.backends.base.base import BaseDatabaseWrapper

from costtrack.metering.ledger.rows import LEDGER_COLUMNS, StagedUsage
from costtrack.metering.ledger.sums import SUMMARY_COLUMNS

KEY_TABLE, LEDGER_TABLE, SUMMARY_TABLE = "costtrack_usagekey", "costtrack_resourceusage", "costtrack_dailycostsummary"
KEY_COLUMNS = ("organization_id", "key_hash", "fingerprint", "usage_id", "day")


NULL_MARK = "\x01"
"""How NULL is written in COPY's text: a control character, which cleaned texts never hold."""


class LedgerBackend(Protocol):
    """The few statements that differ between databases. All run inside the caller's transaction."""

    null: str | None
    """What stands for a missing value in staged ledger values."""

    def reserve_ids(self, count: int) -> Sequence[int]:
        """Take `count` new ledger ids."""

    def insert_keys(self, staged: Sequence[StagedUsage]) -> int:
        """Insert the keys that do not exist yet; how many that were. `staged` is sorted by key."""

    def insert_usage(self, staged: Sequence[StagedUsage]) -> None:
        """Append the ledger rows of the staged usages."""

    def insert_pending(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Append pending summaries, values in the order of SUMMARY_COLUMNS."""


def quoted(columns: Sequence[str]) -> str:
    """A column list for SQL."""
    return ", ".join(f'"{column}"' for column in columns)


class PostgreSQLBackend:
    """Keys by one INSERT from arrays with ON CONFLICT, the rest by COPY straight into the tables."""

    null: str | None = NULL_MARK

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        """Write through this Django connection."""
        self.connection = connection

    def reserve_ids(self, count: int) -> Sequence[int]:
        """From the ledger's sequence; gaps are normal."""
        with self.connection.cursor() as cursor:
            cursor.execute(
                f"SELECT nextval(pg_get_serial_sequence('{LEDGER_TABLE}', 'id')) FROM generate_series(1, %s)", [count]
            )
            return [row[0] for row in cursor.fetchall()]

    def insert_keys(self, staged: Sequence[StagedUsage]) -> int:
        """A key that another transaction is just writing is waited for; sorted keys never deadlock."""
        with self.connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {KEY_TABLE} ({quoted(KEY_COLUMNS)}) "
                "SELECT * FROM unnest(%s::bigint[], %s::uuid[], %s::uuid[], %s::bigint[], %s::date[]) "
                "ON CONFLICT DO NOTHING",
                [
                    _array(one.owner.organization_id for one in staged),
                    _array(one.key_hash for one in staged),
                    _array(one.fingerprint for one in staged),
                    _array(one.usage_id for one in staged),
                    _array(one.owner.day for one in staged),
                ],
            )
            return int(cursor.rowcount)

    def insert_usage(self, staged: Sequence[StagedUsage]) -> None:
        """COPY into the partitioned table."""
        self._copy(LEDGER_TABLE, LEDGER_COLUMNS, [(one.usage_id, *one.values) for one in staged])

    def insert_pending(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """COPY into the summaries."""
        marked = [tuple(NULL_MARK if value is None else value for value in row) for row in rows]
        self._copy(SUMMARY_TABLE, SUMMARY_COLUMNS, marked)

    def _copy(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        lines = copy_text(rows)
        with (
            self.connection.cursor() as cursor,
            self.connection.wrap_database_errors,
            cursor.copy(copy_statement(table, columns)) as copy,
        ):
            copy.write(lines)


def copy_statement(table: str, columns: Sequence[str]) -> str:
    """The COPY that `copy_text` is for."""
    return f"COPY {table} ({quoted(columns)}) FROM STDIN (NULL E'\\x01')"


def copy_text(rows: Iterable[tuple[Any, ...]]) -> str:
    """The rows, NULL_MARK in place of None, in COPY's text format; the values' own text forms are PostgreSQL's too."""
    lines = []
    for row in rows:
        line = "\t".join(map(str, row))
        # Only a text value can hold a backslash, tab or line break; rows without any need no escaping.
        if "\\" in line or "\n" in line or "\r" in line or line.count("\t") != len(row) - 1:
            line = "\t".join([str(value).translate(_COPY_ESCAPES) for value in row])
        lines.append(line)
    lines.append("")
    return "\n".join(lines)


_COPY_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def _array(values: Iterable[object]) -> str:
    """An array literal of numbers, dates or UUIDs, none of which needs quoting."""
    return "{" + ",".join(map(str, values)) + "}"


class SQLiteBackend:
    """Plain multi-row INSERTs. SQLite has one writer, so ids can be counted on from the table's sequence."""

    null: str | None = None

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        """Write through this Django connection."""
        self.connection = connection

    def reserve_ids(self, count: int) -> Sequence[int]:
        """The ids after the last one ever given; the transaction already holds the write lock."""
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [LEDGER_TABLE])
            row = cursor.fetchone()
        first = (row[0] if row else 0) + 1
        return range(first, first + count)

    def insert_keys(self, staged: Sequence[StagedUsage]) -> int:
        """INSERT OR IGNORE, one statement prepared once."""
        rows = [
            (one.owner.organization_id, one.key_hash, one.fingerprint, one.usage_id, str(one.owner.day))
            for one in staged
        ]
        with self.connection.cursor() as cursor:
            cursor.executemany(self._insert(KEY_TABLE, KEY_COLUMNS, or_ignore=True), rows)
            return int(cursor.rowcount)

    def insert_usage(self, staged: Sequence[StagedUsage]) -> None:
        """Append to the plain table."""
        self._insert_rows(LEDGER_TABLE, LEDGER_COLUMNS, [(one.usage_id, *one.values) for one in staged])

    def insert_pending(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Append to the summaries."""
        self._insert_rows(SUMMARY_TABLE, SUMMARY_COLUMNS, rows)

    def _insert_rows(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        adapted = [tuple(self._adapt(value) for value in row) for row in rows]
        with self.connection.cursor() as cursor:
            cursor.executemany(self._insert(table, columns), adapted)

    def _insert(self, table: str, columns: Sequence[str], *, or_ignore: bool = False) -> str:
        verb = "INSERT OR IGNORE" if or_ignore else "INSERT"
        return f"{verb} INTO {table} ({quoted(columns)}) VALUES ({', '.join(['%s'] * len(columns))})"

    def _adapt(self, value: Any) -> Any:
        if isinstance(value, datetime):
            return self.connection.ops.adapt_datetimefield_value(value)
        if isinstance(value, (date, Decimal)):
            return str(value)
        return value


def backend_for(connection: BaseDatabaseWrapper) -> LedgerBackend:
    """The backend of a connection; ImproperlyConfigured for a database that costtrack does not support."""
    if connection.vendor == "postgresql":
        return PostgreSQLBackend(connection)
    if connection.vendor == "sqlite":
        return SQLiteBackend(connection)
    raise ImproperlyConfigured(
        f"costtrack writes to PostgreSQL and SQLite; the database {connection.alias!r} is {connection.vendor}. "
        'Point COSTTRACK["DATABASE"] at a supported one.'
    )
