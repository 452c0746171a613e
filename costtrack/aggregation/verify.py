"""The proof of the books: every day and dimension of the summaries against the sum of the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connections, transaction

from costtrack.aggregation.sql import BLANK_ID, LEDGER_SUMS, LEDGER_TABLE, SUMMARY_TABLE, TOLERANCES, columns, sums_of
from costtrack.conf import settings
from costtrack.domain.money import decimal_from_database
from costtrack.models.exact_sums import exact_sum_sql
from costtrack.models.summaries import (
    AGENT,
    DECIMAL_SUMS,
    GRAINS,
    MODEL,
    ORGANIZATION,
    PENDING,
    PROJECT,
    SITE,
    SUMS,
)

PROVED_TOGETHER = ((AGENT,), (PROJECT,), (MODEL, ORGANIZATION, SITE))
"""Grains for which the ledger is read once: it is summed by the first one's dimensions, which the others are among."""


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
    bounds = (start or date.min, end or date.max)
    is_outermost = not connection.in_atomic_block
    with transaction.atomic(using=alias), connection.cursor() as cursor:
        if connection.vendor == "postgresql" and is_outermost:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        for grains in PROVED_TOGETHER:
            statement = _differences_sql(connection.vendor, grains, limit)
            cursor.execute(statement, bounds * (1 + len(grains)))  # of the ledger, and of each grain
            names = ("grain", *GRAINS[grains[0]], *SUMS)
            differences += [_difference(dict(zip(names, row, strict=True))) for row in cursor.fetchall()]
    return differences


def _difference(found: Mapping[str, Any]) -> Difference:
    day = found["day"]
    return Difference(
        grain=found["grain"],
        day=day if isinstance(day, date) else date.fromisoformat(day),
        dimensions={name: found[name] for name in GRAINS[found["grain"]] if name != "day"},
        ledger_minus_summary={name: decimal_from_database(found[name]) for name in SUMS if found[name]},
    )


def _differences_sql(vendor: str, grains: Sequence[str], limit: int) -> str:
    dimensions = GRAINS[grains[0]]
    if len(grains) == 1:
        ledger_sums, groups = columns([f"{expression} AS {name}" for name, expression in LEDGER_SUMS.items()]), ""
    else:
        ledger_sums, groups = sums_of(vendor, LEDGER_SUMS), f"GROUP BY {columns(dimensions)}"
    parts = [_differences_of(vendor, grain, dimensions, limit) for grain in grains]
    return f"""
        WITH ledger AS (
            SELECT {columns(dimensions)}, {ledger_sums} FROM {LEDGER_TABLE} WHERE day >= %s AND day < %s {groups}
        )
        {" UNION ALL ".join(f"SELECT * FROM ({part}) AS {grain}" for grain, part in zip(grains, parts, strict=True))}
    """


def _differences_of(vendor: str, grain: str, shown: Sequence[str], limit: int) -> str:
    """Of one grain, with the dimensions that are shown; those that it does not have are blank."""
    dimensions = columns(GRAINS[grain])
    blanks = {name: "CAST(NULL AS bigint)" if name in BLANK_ID else "''" for name in shown}
    values = columns([name if name in GRAINS[grain] else f"{blanks[name]} AS {name}" for name in shown])
    tolerance = TOLERANCES[vendor]
    sums = {name: exact_sum_sql(vendor, name) if name in DECIMAL_SUMS else f"sum({name})" for name in SUMS}
    differs = " OR ".join(
        f"abs({total}) > {tolerance.format(name=name)}" if name in DECIMAL_SUMS else f"{total} <> 0"
        for name, total in sums.items()
    )
    return f"""
        SELECT '{grain}', {values}, {columns(list(sums.values()))} FROM (
            SELECT {dimensions}, {columns(SUMS)} FROM ledger
            UNION ALL
            SELECT {dimensions}, {columns(SUMS, "-")} FROM {SUMMARY_TABLE}
            WHERE grain IN ('{grain}', '{PENDING}') AND day >= %s AND day < %s
        ) AS booked
        GROUP BY {dimensions} HAVING {differs} ORDER BY day LIMIT {limit}
    """
