"""Jobs that keep the tables in order: fold, partitions, what dead processes left, the proof of the books."""

from __future__ import annotations

from datetime import UTC, datetime

from costtrack.aggregation import fold_pending, verify_books
from costtrack.alerts.findings.books import raise_books_alert
from costtrack.conf import settings
from costtrack.jobs.runs import job_run
from costtrack.metering.partitions import coming_months, create_partitions
from costtrack.metering.runs.upkeep import tidy_runs
from costtrack.metering.spool.leftovers import book_leftovers


def fold_costs() -> int:
    """Fold pending sums into the daily summaries; the rows folded."""
    with job_run("aggregate_costs"):
        return fold_pending()


def make_partitions() -> int:
    """Make the ledger's partitions of this month and the three to come; how many were missing."""
    with job_run("partition_usage"):
        return len(create_partitions(coming_months(datetime.now(UTC).date())).created)


def flush_leftovers() -> int:
    """Book what dead processes left in this machine's spool; the events that were recorded. Their runs are closed."""
    with job_run("flush_usage"):
        recorded = book_leftovers().recorded if settings.transport == "spool" else 0
        tidy_runs(now=datetime.now(UTC))
        return recorded


def prove_books() -> int:
    """Compare the summaries with the ledger; how many differences there are. An alert tells of them."""
    with job_run("verify_books"):
        differences = verify_books()
        raise_books_alert(differences)
        return len(differences)
