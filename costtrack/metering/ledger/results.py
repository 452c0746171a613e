"""What became of each event of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from costtrack.domain.events import CostSource


class RecordStatus(StrEnum):
    """The fate of one event."""

    RECORDED = "recorded"
    DUPLICATE = "duplicate"
    """Its key was recorded before with the same usage: nothing was charged again."""
    CONFLICT = "conflict"
    """Its key was recorded before with other usage: the first record stands."""
    REJECTED = "rejected"
    """It can not be recorded; `reason` says why."""
    SPOOLED = "spooled"
    """It is on disk, and will be in the ledger soon."""


@dataclass(frozen=True, kw_only=True)
class RecordResult:
    """One event's fate; for a duplicate or conflict the figures are those of the record that stands."""

    status: RecordStatus
    idempotency_key: str
    usage_id: int | None = None
    day: date | None = None
    cost_usd: Decimal | None = None
    """None while unpriced, and for rejected events."""
    cost_source: CostSource | None = None
    reason: str = ""
    may_succeed_later: bool = False
    """Rejected for now: its organization is not there, or not usable, yet."""
