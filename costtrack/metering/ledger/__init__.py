"""The only writer of ResourceUsage, UsageKey and pending summaries: prices a batch, books it once."""

from costtrack.metering.ledger.correct import append_correction
from costtrack.metering.ledger.record import record_events
from costtrack.metering.ledger.results import RecordResult, RecordStatus

__all__ = ["RecordResult", "RecordStatus", "append_correction", "record_events"]
