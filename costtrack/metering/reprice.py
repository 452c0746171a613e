"""Repricing: what usage would cost by the rates known now, against what is booked; and on request the adjustments.

History stands: a stored cost never changes by itself. This is the explicit way, and it shows its difference first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from costtrack.conf import settings
from costtrack.domain.events import Attribution, CostSource, UsageEvent, UsageKind
from costtrack.domain.money import EXACT
from costtrack.exceptions import InvalidCorrection
from costtrack.metering.corrections import booked_cost, credits_of, price_again
from costtrack.metering.ledger import StaleRates
from costtrack.metering.net_usage import corrections_of, is_void, net_amount, net_tokens
from costtrack.models import ResourceUsage
from costtrack.pricing.price import price_event
from costtrack.pricing.ratebook import RateBook, current_ratebook, forget_rates

CHUNK = 1000
REPRICED_SOURCES = (CostSource.UNPRICED, CostSource.ESTIMATED, CostSource.FREE)


@dataclass(frozen=True, slots=True)
class Repricing:
    """A usage whose cost by the rates known now is another one than what is booked."""

    usage_id: int
    day: date
    provider: str
    model: str
    booked_usd: Decimal | None
    """None: it is unpriced so far."""
    cost_usd: Decimal
    """By the rates, with the credits and charges that somebody has booked on it: these stay."""
    rate_id: int
    corrections: frozenset[int]
    """The rows that had corrected it when it was looked at."""

    @property
    def difference_usd(self) -> Decimal:
        """What applying it adds to the books."""
        return EXACT.subtract(self.cost_usd, self.booked_usd or Decimal(0))


@dataclass(slots=True)
class LookedAt:
    """What `repricings` went through, filled as it goes."""

    usages: int = 0
    without_rate: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Unpriced usages for which no rate is known, by (provider, model); a tool's name is its provider."""
    without_usage: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Unpriced ones that told no usage, which no rate can price."""


def repricings(
    *,
    start: date,
    end: date,
    organization_id: int | None = None,
    model: str = "",
    unpriced_only: bool = False,
    looked_at: LookedAt | None = None,
    using: str | None = None,
) -> Iterator[Repricing]:
    """The usages of the days `[start, end)` that would cost something else now. Reported costs are never repriced.

    Memory stays flat, whatever the number of rows. `looked_at` counts what was gone through.
    """
    looked_at = LookedAt() if looked_at is None else looked_at
    alias = using or settings.database
    rows = ResourceUsage.objects.using(alias).filter(
        kind=UsageKind.USAGE,
        day__gte=start,
        day__lt=end,
        cost_source__in=[CostSource.UNPRICED] if unpriced_only else REPRICED_SOURCES,
    )
    if organization_id is not None:
        rows = rows.filter(organization_id=organization_id)
    if model:
        rows = rows.filter(model=model)
    book = current_ratebook(using=alias)
    last_id = 0
    while chunk := list(rows.filter(id__gt=last_id).order_by("id")[:CHUNK]):
        last_id = chunk[-1].id
        corrections = corrections_of(chunk, using=alias)
        for row in chunk:
            whole = [row, *corrections.get(row.id, [])]
            if unpriced_only and booked_cost(whole) is not None:
                continue  # priced by an adjustment since
            found = _repricing(whole, book, looked_at)
            if found is not None:
                yield found


def apply_repricing(repricing: Repricing, *, reason: str, author: str = "", using: str | None = None) -> ResourceUsage:
    """Book the difference as an adjustment; the new row. Raises InvalidCorrection if anything changed meanwhile.

    `author`, who decided it, stands in the row's metadata.
    """
    try:
        return price_again(
            repricing.usage_id,
            cost_usd=repricing.cost_usd,
            booked_usd=repricing.booked_usd,
            corrections=repricing.corrections,
            rate_id=repricing.rate_id,
            book=current_ratebook(using=using),
            reason=reason,
            author=author,
            using=using,
        )
    except StaleRates:
        forget_rates()
        raise InvalidCorrection("The rates changed meanwhile; look at the differences again.") from None


def _repricing(whole: list[ResourceUsage], book: RateBook, looked_at: LookedAt) -> Repricing | None:
    """Of a usage, which is the first row, with its corrections."""
    row = whole[0]
    looked_at.usages += 1
    if is_void(whole) or any(one.cost_source == CostSource.REPORTED for one in whole):
        return None
    tokens = net_tokens(whole)
    if tokens is None:
        return None  # corrections left parts above their whole: nothing that could be priced
    event = UsageEvent(
        idempotency_key="",
        occurred_at=row.occurred_at,
        attribution=Attribution(),
        resource_type=row.resource_type,
        amount=net_amount(whole),
        tokens=tokens,
        provider=row.provider,
        gateway=row.gateway,
        model=row.model,
        service_tier=row.service_tier,
        outcome=row.outcome,
        usage_missing=row.usage_missing,
    )
    priced = price_event(event, organization_id=row.organization_id, book=book)
    booked = booked_cost(whole)
    if booked is None and priced.cost_usd is None:
        unpriced = looked_at.without_usage if row.usage_missing else looked_at.without_rate
        unpriced[row.provider, row.model or row.resource_type] += 1
    if priced.cost_usd is None or priced.rate_id is None:
        return None
    cost = max(EXACT.add(priced.cost_usd, credits_of(whole[1:])), Decimal(0))
    if cost == booked:
        return None
    corrections = frozenset(one.id for one in whole[1:])
    return Repricing(row.id, row.day, row.provider, row.model, booked, cost, priced.rate_id, corrections)
