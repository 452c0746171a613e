"""capture_usage: what the code under test metered, in memory, with its cost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from costtrack.domain.events import UsageEvent
from costtrack.domain.money import exact_sum
from costtrack.metering.memory import MemoryLog, captured_by


class UsageLog(MemoryLog):
    """The events that were metered, oldest first, and what they cost by the prices that ship with costtrack.

    Django must be set up where costs are asked for; no database is. The first one loads the prices: about 0.5 s.
    """

    def __init__(self, *, rates: Path | str | None = None) -> None:
        """Start empty. `rates` is a file as `load_rates` takes it, whose prices come before the shipped ones."""
        super().__init__()
        self._rates = rates

    @property
    def costs(self) -> tuple[Decimal | None, ...]:
        """USD of each event, exact; None where nobody knows it.

        A repeated idempotency key costs 0: the ledger would charge it once.
        """
        from costtrack.pricing.price import price_event
        from costtrack.testing.prices import HOST, book_with

        book = book_with(self._rates)
        seen: set[tuple[str, str]] = set()
        costs: list[Decimal | None] = []
        for event in self:
            key = (event.attribution.organization, event.idempotency_key)
            costs.append(Decimal(0) if key in seen else price_event(event, organization_id=HOST, book=book).cost_usd)
            seen.add(key)
        return tuple(costs)

    @property
    def total_cost_usd(self) -> Decimal | None:
        """USD of all events together; None if the cost of one is not known, for then nobody knows the sum."""
        costs = self.costs
        return None if None in costs else sum_of(costs)

    @property
    def unpriced(self) -> tuple[UsageEvent, ...]:
        """The events whose cost is not known: a model without a price, or a response without usage."""
        return tuple(event for event, cost in zip(self, self.costs, strict=True) if cost is None)


def sum_of(costs: tuple[Decimal | None, ...]) -> Decimal:
    """The exact sum of those that are known."""
    return exact_sum(cost for cost in costs if cost is not None)


@contextmanager
def capture_usage(*, rates: Path | str | None = None) -> Iterator[UsageLog]:
    """`with capture_usage() as log:` everything metered inside, in any thread of this process, goes to `log`.

    Nothing reaches the ledger, so nothing is held in budgets either, and no call refused. At its end it waits for what
    is still being recorded, such as a stream that was dropped unread. `rates` is a file as `load_rates` takes it, for
    models and tools whose prices do not ship.
    """
    with captured_by(UsageLog(rates=rates)) as log:
        yield log
