"""Monthly partitions of the ledger on PostgreSQL; on SQLite there are none and these functions do nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from costtrack.conf import settings
from costtrack.domain.periods import next_month

LEDGER = "costtrack_resourceusage"
DEFAULT_PARTITION = f"{LEDGER}_default"


@dataclass(frozen=True, slots=True)
class PartitionReport:
    """What `create_partitions` did: months made, months left because the default partition holds rows of them."""

    created: tuple[date, ...] = ()
    blocked: tuple[date, ...] = ()
    moved_rows: int = 0


def partition_name(month: date) -> str:
    """The table of a month, e.g. costtrack_resourceusage_y2026m11."""
    return f"{LEDGER}_y{month.year:04d}m{month.month:02d}"


def coming_months(today: date, ahead: int = 3) -> list[date]:
    """The first days of this month and the `ahead` after it."""
    months = [today.replace(day=1)]
    for _ in range(ahead):
        months.append(next_month(months[-1]))
    return months


def create_partitions(
    days: Iterable[date], *, move_default_rows: bool = False, using: str | None = None
) -> PartitionReport:
    """Make the partitions of the months that hold `days`, each in a transaction of its own.

    A month of which the default partition already holds rows can only be made by moving them out:
    with `move_default_rows` that is done under an ACCESS EXCLUSIVE lock of the ledger, else the month is reported
    as blocked and its rows stay where they are, correct but unpartitioned.
    """
    connection = connections[using or settings.database]
    if connection.vendor != "postgresql":
        return PartitionReport()
    existing = _existing(connection)
    created, blocked, moved_rows = [], [], 0
    for month in sorted({day.replace(day=1) for day in days}):
        if partition_name(month) in existing:
            continue
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            # One creator at a time; the lock ends with the transaction, which pgbouncer needs.
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [LEDGER])
            if partition_name(month) in _existing(connection):
                continue
            bounds = [month, next_month(month)]
            if move_default_rows:
                cursor.execute(f"LOCK TABLE {LEDGER} IN ACCESS EXCLUSIVE MODE")
            cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {DEFAULT_PARTITION} WHERE day >= %s AND day < %s)", bounds)
            if not cursor.fetchone()[0]:
                _create(connection, month)
            elif move_default_rows:
                moved_rows += _move_out_of_default(connection, month)
            else:
                blocked.append(month)
                continue
            created.append(month)
    return PartitionReport(tuple(created), tuple(blocked), moved_rows)


def default_partition_months(*, using: str | None = None) -> list[date]:
    """The months of which the default partition holds rows."""
    connection = connections[using or settings.database]
    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT DISTINCT date_trunc('month', day)::date FROM {DEFAULT_PARTITION} ORDER BY 1")
        return [row[0] for row in cursor.fetchall()]


def _existing(connection: BaseDatabaseWrapper) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
            "WHERE i.inhparent = %s::regclass",
            [LEDGER],
        )
        return {row[0] for row in cursor.fetchall()}


def _create(connection: BaseDatabaseWrapper, month: date) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE {partition_name(month)} PARTITION OF {LEDGER} "
            f"FOR VALUES FROM ('{month:%Y-%m-%d}') TO ('{next_month(month):%Y-%m-%d}')"
        )


def _move_out_of_default(connection: BaseDatabaseWrapper, month: date) -> int:
    """Move the month's rows into its new partition; maintenance may delete from the append-only ledger."""
    bounds = [month, next_month(month)]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL costtrack.maintenance = 'on'")
        cursor.execute(
            f"CREATE TEMPORARY TABLE costtrack_moving ON COMMIT DROP AS "
            f"SELECT * FROM {DEFAULT_PARTITION} WHERE day >= %s AND day < %s",
            bounds,
        )
        cursor.execute(f"DELETE FROM {DEFAULT_PARTITION} WHERE day >= %s AND day < %s", bounds)
        moved = int(cursor.rowcount)
        _create(connection, month)
        # Originals first: the trigger that checks corrections looks for them.
        cursor.execute(f"INSERT INTO {LEDGER} SELECT * FROM costtrack_moving ORDER BY kind = 'usage' DESC, id")
        cursor.execute("DROP TABLE costtrack_moving")
        cursor.execute("SET LOCAL costtrack.maintenance = ''")
        return moved
