"""How events reach the ledger: by the spool on disk, or `inline`, in the caller's own transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from costtrack.conf import settings
from costtrack.domain.events import UsageEvent
from costtrack.metering.attribution import GivenAttribution
from costtrack.metering.context import given_here
from costtrack.metering.memory import active_log

if TYPE_CHECKING:
    from costtrack.metering.ledger import RecordResult


_spool: Callable[[Sequence[UsageEvent]], list[RecordResult]] | None = None
"""`costtrack.metering.spooled.spool_events`, once it has been asked for."""


def submit(event: UsageEvent) -> RecordResult:
    """Record one event; errors of the database are raised."""
    return submit_all([event])[0]


def submit_all(events: Sequence[UsageEvent]) -> list[RecordResult]:
    """Record events, one result each in their order: `spooled`, or, written inline, what the ledger made of them.

    With the spool nothing is raised: what can be neither spooled nor written is in the log, rejected.
    """
    log = active_log()
    if log is not None:
        return log.record(events)
    if settings.is_inline():
        return record_inline(events)
    global _spool
    spool = _spool
    if spool is None:  # it needs Django's apps; to import it in each call would cost as much as a tenth of that
        from costtrack.metering.spooled import spool_events

        _spool = spool = spool_events
    return spool(events)


def record_inline(events: Sequence[UsageEvent]) -> list[RecordResult]:
    """Write events now, over this thread's connection; errors of the database are raised.

    Inside a caller's `atomic` block that is a savepoint: whatever fails here leaves the block usable, and what was
    recorded goes if the block is rolled back. Months without a partition go to the default partition: to create
    tables would lock out others until the caller's transaction ends. Subscribers are told after the commit.
    """
    from django.db import connections, transaction

    from costtrack.metering.ledger import record_events
    from costtrack.metering.told import tell_subscribers

    alias = settings.database
    if not connections[alias].in_atomic_block:
        results = record_events(events, using=alias, creates_partitions=False)
    else:
        with transaction.atomic(using=alias):
            results = record_events(events, using=alias, creates_partitions=False)
    transaction.on_commit(lambda: tell_subscribers(events, results), using=alias, robust=True)
    return results


def needs_no_database(given: GivenAttribution | None = None) -> bool:
    """Whether what is metered here can be recorded on any thread, an event loop's too: it only goes to a file.

    `given` is the attribution of what is recorded, by default the one in force here.
    """
    return not settings.is_inline() and not (given or given_here()).has_lazy
