"""Which models lose prices by a load: a class of tokens without a price of its own is billed at another one's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from costtrack.models.rates import PRICE_FIELDS
from costtrack.pricing.loading.drafts import DraftRate
from costtrack.pricing.priced_rate import PricedRate
from costtrack.pricing.ratebook import RateBook


def lost_prices(
    drafts: Iterable[DraftRate], *, book: RateBook, organization_id: int | None, now: datetime
) -> list[str]:
    """One line for each draft that lacks prices which its model has by `book` at the draft's beginning.

    What an organization loses by rates of its own are the global prices. A model that is withdrawn on purpose loses
    nothing, nor does one that was not known.
    """
    lines: dict[str, None] = {}
    for draft in drafts:
        rate = draft.rate
        match = book.find(
            model=rate.model,
            provider=rate.provider,
            organization_id=organization_id,
            resource_type=rate.resource_type,
            service_tier=rate.service_tier,
            at=rate.effective_from if draft.is_dated else now,
        )
        lost = list(_lost(match.rate, rate)) if match and not rate.is_withdrawn else []
        if lost:
            name = f"{rate.provider}/{rate.model}" if rate.provider else rate.model
            lines[
                f"{name} ({rate.service_tier}) loses its price for {', '.join(lost)}: "
                "state it in the file too if it still holds"
            ] = None
    return list(lines)


def _lost(before: PricedRate, after: PricedRate) -> Iterator[str]:
    for name, old, new in zip(PRICE_FIELDS, before.prices.values(), after.prices.values(), strict=True):
        if old is not None and new is None:
            yield name.removesuffix("_usd_per_million")
    if before.tiers and not after.tiers:
        yield f"requests above {before.tiers[0].above_input_tokens:,} input tokens"
    if before.request_usd is not None and after.request_usd is None:
        yield "the call itself"
