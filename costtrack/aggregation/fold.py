"""Folding: pending rows become part of each grain."""

from __future__ import annotations

from django.db import connections

from costtrack.aggregation.lock import exclusive_summaries
from costtrack.aggregation.sql import PLAIN_SUMS, SUMMARY_TABLE, insert_grain
from costtrack.conf import settings
from costtrack.models.summaries import GRAINS, PENDING


def fold_pending(*, using: str | None = None) -> int:
    """Add all pending rows to every grain and delete them; how many there were.

    Readers see the same sums before, during and after. Two folds at once queue; recording goes on meanwhile.
    """
    alias = using or settings.database
    connection = connections[alias]
    with exclusive_summaries(using=alias), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            to_each = ", ".join(
                f"to_{grain} AS ({insert_grain('postgresql', grain, 'moved', PLAIN_SUMS)})" for grain in GRAINS
            )
            cursor.execute(
                f"""
                WITH moved AS (DELETE FROM {SUMMARY_TABLE} WHERE grain = '{PENDING}' RETURNING *), {to_each}
                SELECT count(*) FROM moved
                """
            )
            return int(cursor.fetchone()[0])
        source = f"{SUMMARY_TABLE} WHERE grain = '{PENDING}'"
        for grain in GRAINS:
            cursor.execute(insert_grain("sqlite", grain, source, PLAIN_SUMS))
        cursor.execute(f"DELETE FROM {SUMMARY_TABLE} WHERE grain = '{PENDING}'")
        return int(cursor.rowcount)
