"""Spooling events, and what happens to those that the spool can not take: metering goes on, and says so."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

from django.db import connections

from costtrack.conf import settings
from costtrack.domain.events import UsageEvent
from costtrack.domain.frozen import frozen_from
from costtrack.metering import spool
from costtrack.metering.database_thread import run_later, run_on_own_thread
from costtrack.metering.ledger import RecordResult, RecordStatus
from costtrack.metering.lost import report_lost

WRITE_SECONDS = 5.0
"""How long a caller waits at most for an event to be written when there is no spool."""
REST_SECONDS = 10.0
"""After a failed write the database is left in peace for so long; events go to the log meanwhile."""
WARN_SECONDS = 60.0
SPOOLED = RecordStatus.SPOOLED

_rest_until = 0.0
_warn_at = 0.0
logger = logging.getLogger("costtrack")


def spool_events(events: Sequence[UsageEvent]) -> list[RecordResult]:
    """On disk when this returns; one result each. Never raises: events with no other place go to the log, whole."""
    try:
        if len(events) == 1:
            spool.append(events[0])
        else:
            spool.append_all(events)
    except spool.SpoolBusy:
        run_later(lambda: spool_events(events))
    except (OSError, spool.SpoolFull) as error:
        return _without_spool(events, error)
    return _spooled(events)


def _spooled(events: Sequence[UsageEvent]) -> list[RecordResult]:
    return [
        frozen_from(RecordResult, {"status": SPOOLED, "idempotency_key": event.idempotency_key}) for event in events
    ]


def _is_on_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _without_spool(events: Sequence[UsageEvent], cause: Exception) -> list[RecordResult]:
    """Write them at once over the own connection; if that fails too, into the log, whole and counted.

    In a coroutine that is done later: an event loop must not wait for a database.
    """
    if _is_on_event_loop():
        run_later(lambda: _without_spool(events, cause))
        return _spooled(events)
    global _rest_until, _warn_at
    running = spool.running()
    if running is not None:
        running.counters.add(overflows=len(events))
    now = time.monotonic()
    if now >= _warn_at:
        _warn_at = now + WARN_SECONDS
        logger.error("Usage can not be spooled, and is written to the database at once: %s", cause)
    if now < _rest_until:
        return _lost(events, f"{cause} The database did not take it a moment ago either.")
    try:
        results = _written(events)
    except Exception as error:  # the boundary: the call that was metered must not fail; the event is in the log
        _rest_until = time.monotonic() + REST_SECONDS
        return _lost(events, f"{cause} Nor could it be written at once: {type(error).__name__}: {error}")
    for event, result in zip(events, results, strict=True):
        if result.status in (RecordStatus.REJECTED, RecordStatus.CONFLICT):
            report_lost(event, f"{result.status}: {result.reason}")
    return results


def _written(events: Sequence[UsageEvent]) -> list[RecordResult]:
    from costtrack.metering.transport import record_inline

    connection = connections[settings.database]
    if connection.vendor == "sqlite" and connection.in_atomic_block:
        # SQLite has one writer, and that is this caller: another connection would wait for it in vain.
        return record_inline(events)
    return run_on_own_thread(lambda: record_inline(events)).result(WRITE_SECONDS)


def _lost(events: Sequence[UsageEvent], reason: str) -> list[RecordResult]:
    for event in events:
        report_lost(event, reason)
    return [
        RecordResult(status=RecordStatus.REJECTED, idempotency_key=event.idempotency_key, reason=reason)
        for event in events
    ]
