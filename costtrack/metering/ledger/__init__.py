"""The only writer of ResourceUsage, UsageKey and pending summaries: prices a batch, books it once."""

from costtrack.metering.ledger.correct import append_correction
from costtrack.metering.ledger.rates_used import StaleRates, mark_rates_used
from costtrack.metering.ledger.record import record_events
from costtrack.metering.ledger.results import RecordResult, RecordStatus

__all__ = ["RecordResult", "RecordStatus", "StaleRates", "append_correction", "mark_rates_used", "record_events"]
