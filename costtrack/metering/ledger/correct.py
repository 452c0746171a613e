"""Appending one correction row and what it takes off, or adds to, the summaries."""

from __future__ import annotations

from django.db import connections, transaction

from costtrack.domain.events import CostSource
from costtrack.metering.ledger.backends import backend_for
from costtrack.metering.ledger.rows import ZERO, SummaryPart
from costtrack.metering.ledger.sums import pending_rows
from costtrack.models import ResourceUsage
from costtrack.models.summaries import AGENT_DIMENSIONS, COUNT_SUMS


def append_correction(row: ResourceUsage, *, using: str) -> ResourceUsage:
    """Save a void or adjustment with its pending summary, in one transaction (a savepoint inside a caller's).

    The database refuses one that takes back more than is left (IntegrityError).
    """
    with transaction.atomic(using=using):
        row.save(using=using, force_insert=True)
        backend_for(connections[using]).insert_pending(pending_rows([correction_part(row)]))
    return row


def correction_part(row: ResourceUsage) -> SummaryPart:
    """What a correction adds to its day's summary; figures carry their sign."""
    cost = row.cost_usd or ZERO
    return SummaryPart(
        tuple(getattr(row, name) for name in AGENT_DIMENSIONS),
        tuple(getattr(row, name) or 0 for name in COUNT_SUMS),
        (
            row.amount,
            cost,
            cost if row.cost_source == CostSource.REPORTED else ZERO,
            cost if row.cost_source == CostSource.ESTIMATED else ZERO,
            row.saving_usd,
        ),
    )
