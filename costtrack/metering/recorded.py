"""RecordedUsage: an event with what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from costtrack.domain.events import CostSource, UsageEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedUsage:
    """An event that is in the ledger, with its cost. For a duplicate the figures are those of the first record."""

    event: UsageEvent
    status: str
    """`recorded`, or `duplicate`: its idempotency key was recorded before, nothing was charged again."""
    usage_id: int | None
    """The ledger row; None only in a `memory_log()`."""
    day: date | None
    """The organization's local date that it counts on."""
    cost_usd: Decimal | None
    """None while unpriced."""
    cost_source: CostSource | None
