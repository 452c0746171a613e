"""DraftRate: a rate that a source states, before it is compared with what is stored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import time
from decimal import ROUND_HALF_EVEN, Context, Decimal

from costtrack.pricing.canonical import canonical_tier
from costtrack.pricing.decimals import plain_decimal
from costtrack.pricing.priced_rate import PricedRate
from costtrack.pricing.providers import rate_provider

PRICE_PLACES = 6
_QUANTUM = Decimal(1).scaleb(-PRICE_PLACES)
_ROUNDING = Context(prec=60, rounding=ROUND_HALF_EVEN)
_ARTEFACT_DIGITS = 12
"""A price with so many significant digits was calculated in floats: nobody sets one."""


@dataclass(frozen=True, slots=True)
class DraftRate:
    """A rate as its source has it. `is_dated`: the source says when it begins; else `effective_from` means nothing."""

    rate: PricedRate
    is_dated: bool = False


@dataclass(frozen=True, slots=True)
class RateKey:
    """What rates follow one another within, for one organization."""

    provider: str
    model: str
    resource_type: str
    service_tier: str
    window_start: time
    window_end: time


def key_of(rate: PricedRate) -> RateKey:
    """The key of a rate, however an administrator spelled its provider, model and service tier."""
    return RateKey(
        rate_provider(rate.provider),
        rate.model.strip().lower(),
        rate.resource_type,
        canonical_tier(rate.service_tier),
        rate.window_start,
        rate.window_end,
    )


def round_price(price: Decimal) -> Decimal:
    """A price per million tokens at 6 decimals, half-even, without trailing zeros: 0.083333333334 is 0.083333."""
    return plain_decimal(price.quantize(_QUANTUM, context=_ROUNDING))


def is_storable(price: Decimal) -> bool:
    """Whether a price has at most 6 decimals, but for the noise of float arithmetic."""
    return price == price.quantize(_QUANTUM, context=_ROUNDING) or len(price.as_tuple().digits) >= _ARTEFACT_DIGITS


def without_stolen_aliases(drafts: Iterable[DraftRate]) -> list[DraftRate]:
    """The drafts with each alias left to the first model of its provider that claims it, and to no model's own id."""
    listed = list(drafts)
    owners: dict[tuple[str, str], str] = {(draft.rate.provider, draft.rate.model): draft.rate.model for draft in listed}
    for draft in listed:
        for alias in draft.rate.aliases:
            owners.setdefault((draft.rate.provider, alias), draft.rate.model)
    return [
        replace(
            draft,
            rate=replace(
                draft.rate,
                aliases=tuple(
                    alias
                    for alias in dict.fromkeys(draft.rate.aliases)
                    if alias != draft.rate.model and owners[draft.rate.provider, alias] == draft.rate.model
                ),
            ),
        )
        for draft in listed
    ]
