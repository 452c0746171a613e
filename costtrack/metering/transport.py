"""How events reach the ledger. `inline`: written before the metered call returns, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from costtrack.domain.events import UsageEvent
from costtrack.metering.memory import active_log

if TYPE_CHECKING:
    from costtrack.metering.ledger import RecordResult


def submit(event: UsageEvent) -> RecordResult:
    """Record one event; errors of the database are raised."""
    return submit_all([event])[0]


def submit_all(events: Sequence[UsageEvent]) -> list[RecordResult]:
    """Record events, one result each in their order; errors of the database are raised.

    Inside a caller's `atomic` block that is a savepoint: whatever fails here leaves the block usable, and what was
    recorded goes if the block is rolled back. Months without a partition go to the default partition: to create
    tables would lock out others until the caller's transaction ends.
    """
    log = active_log()
    if log is not None:
        return log.record(events)
    from django.db import connections, transaction

    from costtrack.conf import settings
    from costtrack.metering.ledger import record_events

    alias = settings.database
    if not connections[alias].in_atomic_block:
        return record_events(events, using=alias, creates_partitions=False)
    with transaction.atomic(using=alias):
        return record_events(events, using=alias, creates_partitions=False)
