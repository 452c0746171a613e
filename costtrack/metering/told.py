"""Telling subscribers what was recorded."""

from __future__ import annotations

from collections.abc import Sequence

from costtrack.domain.events import UsageEvent
from costtrack.metering.ledger import RecordResult, RecordStatus
from costtrack.metering.recorded import recorded_usage
from costtrack.metering.subscribers import deliver


def tell_subscribers(events: Sequence[UsageEvent], results: Sequence[RecordResult]) -> None:
    """Give subscribers those events that are in the ledger now for the first time."""
    deliver(
        [
            recorded_usage(event, result)
            for event, result in zip(events, results, strict=True)
            if result.status is RecordStatus.RECORDED
        ]
    )
