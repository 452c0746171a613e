"""Rebuilding: the summaries of some days thrown away and summed again from the ledger."""

from __future__ import annotations

from datetime import date

from django.db import connections

from costtrack.aggregation.lock import exclusive_summaries
from costtrack.aggregation.sql import LEDGER_SUMS, LEDGER_TABLE, PLAIN_SUMS, SUMMARY_TABLE, insert_grain
from costtrack.conf import settings
from costtrack.models.summaries import AGENT, PROJECT


def rebuild_summaries(*, start: date, end: date, using: str | None = None) -> int:
    """Sum the days `[start, end)` again from the ledger, both grains; how many summary rows there are now.

    Runs in one REPEATABLE READ snapshot: usage that commits meanwhile keeps its own pending rows, which the
    snapshot does not see and so does not delete.
    """
    alias = using or settings.database
    connection = connections[alias]
    bounds = [start, end]
    with exclusive_summaries(using=alias, repeatable_read=True), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {SUMMARY_TABLE} WHERE day >= %s AND day < %s", bounds)
        ledger = f"{LEDGER_TABLE} WHERE day >= %s AND day < %s"
        cursor.execute(insert_grain(connection.vendor, AGENT, ledger, LEDGER_SUMS), bounds)
        rows = int(cursor.rowcount)
        agent_rows = f"{SUMMARY_TABLE} WHERE grain = '{AGENT}' AND day >= %s AND day < %s"
        cursor.execute(insert_grain(connection.vendor, PROJECT, agent_rows, PLAIN_SUMS), bounds)
        return rows + int(cursor.rowcount)
