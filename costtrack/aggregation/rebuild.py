"""Rebuilding: the summaries of some days thrown away and summed again, from the ledger or from one another."""

from __future__ import annotations

from datetime import date

from django.db import connections

from costtrack.aggregation.lock import exclusive_summaries
from costtrack.aggregation.sql import LEDGER_SUMS, LEDGER_TABLE, PLAIN_SUMS, SUMMARY_TABLE, insert_grain
from costtrack.conf import settings
from costtrack.models.summaries import AGENT, GRAINS, MODEL, SITE


def rebuild_summaries(*, start: date, end: date, using: str | None = None) -> int:
    """Sum the days `[start, end)` again from the ledger, at every grain; how many summary rows there are now.

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
        for grain in GRAINS:
            if grain != AGENT:
                cursor.execute(insert_grain(connection.vendor, grain, agent_rows, PLAIN_SUMS), bounds)
                rows += int(cursor.rowcount)
        return rows


def resum_site(*, start: date, end: date, using: str) -> None:
    """Sum the site grain of the days `[start, end)` again from what organizations have.

    For who deletes an organization with its summaries, in the same `exclusive_summaries`: the site grain is of all.
    """
    connection = connections[using]
    bounds = [start, end]
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {SUMMARY_TABLE} WHERE grain = '{SITE}' AND day >= %s AND day < %s", bounds)
        rows = f"{SUMMARY_TABLE} WHERE grain = '{MODEL}' AND day >= %s AND day < %s"
        cursor.execute(insert_grain(connection.vendor, SITE, rows, PLAIN_SUMS), bounds)
