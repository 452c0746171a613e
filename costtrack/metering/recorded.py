"""RecordedUsage: an event with what became of it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from costtrack.domain.events import CostSource, UsageEvent
from costtrack.domain.frozen import frozen_from
from costtrack.metering.database_thread import run_sync

logger = logging.getLogger("costtrack")

if TYPE_CHECKING:
    from costtrack.metering.ledger.results import RecordResult
    from costtrack.pricing.price import Priced


@dataclass(frozen=True, kw_only=True)
class RecordedUsage:
    """An event that is in the ledger, or on its way, with its cost. A duplicate has the figures of the first record."""

    event: UsageEvent
    status: str
    """`spooled`: on disk, and in the ledger soon. `recorded`: in the ledger. `duplicate`: its idempotency key was
    recorded before, nothing was charged again. `rejected`, `conflict`: there was no spool, and the database refused it;
    it is in the log, whole."""
    usage_id: int | None
    """The ledger row; None while it is spooled, and in a test that captures usage."""
    day: date | None
    """The organization's local date that it counts on; None while it is spooled."""
    booked_cost_usd: Decimal | None
    booked_cost_source: CostSource | None

    @property
    def cost_usd(self) -> Decimal | None:
        """US dollars, None while unpriced; of a spooled event by the rates in force now, if they can be read."""
        if self.status != "spooled":
            return self.booked_cost_usd
        priced = self._priced_now()
        return None if priced is None else priced.cost_usd

    @property
    def cost_source(self) -> CostSource | None:
        """Where the cost comes from; of a spooled event as `cost_usd`."""
        if self.status != "spooled":
            return self.booked_cost_source
        priced = self._priced_now()
        return None if priced is None else priced.cost_source

    def _priced_now(self) -> Priced | None:
        from costtrack.metering.price_now import prices_now

        try:
            return run_sync(lambda: prices_now([self.event]))[0]
        except Exception as error:  # after the call nothing raises; it is only not known what it costs
            logger.warning("Usage that is recorded could not be priced yet: %s %s", type(error).__name__, error)
            return None


def recorded_usage(event: UsageEvent, result: RecordResult) -> RecordedUsage:
    """The event with its result, which is no refusal."""
    values = {
        "event": event,
        "status": str(result.status),
        "usage_id": result.usage_id,
        "day": result.day,
        "booked_cost_usd": result.cost_usd,
        "booked_cost_source": result.cost_source,
    }
    return frozen_from(RecordedUsage, values)
