"""The proof of the books: every day and dimension of the summaries against the sum of the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db import connections, transaction

from costtrack.aggregation.sql import GRAINS, LEDGER_SUMS, LEDGER_TABLE, SUMMARY_TABLE, TOLERANCES, columns
from costtrack.conf import settings
from costtrack.domain.money import decimal_from_database
from costtrack.models.summaries import DECIMAL_SUMS, PENDING, SUMS


@dataclass(frozen=True, slots=True)
class Difference:
    """One day and dimension on which ledger and summaries disagree; `ledger_minus_summary` has what differs."""

    grain: str
    day: date
    dimensions: dict[str, object]
    ledger_minus_summary: dict[str, Decimal]


def verify_books(
    *, start: date | None = None, end: date | None = None, limit: int = 100, using: str | None = None
) -> list[Difference]:
    """All differences (at most `limit` per grain) between ledger and summaries, in one snapshot; none if all is right.

    `start` and `end` bound the days, `[start, end)`. Exact on PostgreSQL; on SQLite to 12 digits, where small sums are
    right to a nano-dollar.
    """
    alias = using or settings.database
    connection = connections[alias]
    differences: list[Difference] = []
    bounds = [start or date.min, end or date.max]
    is_outermost = not connection.in_atomic_block
    with transaction.atomic(using=alias), connection.cursor() as cursor:
        if connection.vendor == "postgresql" and is_outermost:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        for grain, dimensions in GRAINS.items():
            cursor.execute(_differences_sql(connection.vendor, grain, dimensions, limit), [*bounds, *bounds])
            for row in cursor.fetchall():
                found = dict(zip((*dimensions, *SUMS), row, strict=True))
                differences.append(
                    Difference(
                        grain=grain,
                        day=found["day"] if isinstance(found["day"], date) else date.fromisoformat(found["day"]),
                        dimensions={name: found[name] for name in dimensions if name != "day"},
                        ledger_minus_summary={name: decimal_from_database(found[name]) for name in SUMS if found[name]},
                    )
                )
    return differences


def _differences_sql(vendor: str, grain: str, dimensions: tuple[str, ...], limit: int) -> str:
    from_ledger = columns([f"{expression} AS {name}" for name, expression in LEDGER_SUMS.items()])
    tolerance = TOLERANCES[vendor]
    differs = " OR ".join(
        f"abs(sum({name})) > {tolerance.format(name=name)}" if name in DECIMAL_SUMS else f"sum({name}) <> 0"
        for name in SUMS
    )
    return f"""
        SELECT {columns(dimensions)}, {columns([f"sum({name})" for name in SUMS])} FROM (
            SELECT {columns(dimensions)}, {from_ledger} FROM {LEDGER_TABLE} WHERE day >= %s AND day < %s
            UNION ALL
            SELECT {columns(dimensions)}, {columns(SUMS, "-")} FROM {SUMMARY_TABLE}
            WHERE grain IN ('{grain}', '{PENDING}') AND day >= %s AND day < %s
        ) AS booked
        GROUP BY {columns(dimensions)} HAVING {differs} ORDER BY day LIMIT {limit}
    """
