"""PricedRate: a rate as a plain value, with its prices resolved so that pricing only multiplies."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, time
from decimal import Decimal
from typing import NamedTuple

from costtrack.domain.events import ResourceType
from costtrack.domain.money import EXACT
from costtrack.models.rates import FROM_EVER, PRICE_FIELDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """USD per 1,000,000 tokens of each class; None where there is no such price."""

    input_usd_per_million: Decimal | None = None
    output_usd_per_million: Decimal | None = None
    cache_read_usd_per_million: Decimal | None = None
    cache_write_usd_per_million: Decimal | None = None
    cache_write_1h_usd_per_million: Decimal | None = None
    input_audio_usd_per_million: Decimal | None = None
    output_audio_usd_per_million: Decimal | None = None
    reasoning_usd_per_million: Decimal | None = None

    def values(self) -> tuple[Decimal | None, ...]:
        """The prices in the order of PRICE_FIELDS."""
        return tuple(getattr(self, name) for name in PRICE_FIELDS)


NO_PRICES = Prices()


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTier:
    """The prices for requests with more than `above_input_tokens`; one left None is the rate's own."""

    above_input_tokens: int
    prices: Prices


PICO_PLACES = 12
"""A picodollar is 1e-12 USD: one dollar per million tokens is a million of them per token."""


class Band(NamedTuple):
    """Picodollars per token of every class, fallbacks applied, for requests with more than `above` input tokens."""

    above: int
    input_picos: tuple[int, ...]
    """Plain, cache read, cache write, cache write 1h, audio."""
    output_picos: tuple[int, ...]
    """Plain, reasoning, audio."""
    missing: tuple[int, ...]
    """Where, over both, there is no price: tokens there are unpriced, and the 0 in their place means nothing."""


_CLASSES = 8
"""Classes that a band has: five of input, three of output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedRate:
    """A row of Rate with its tiers. `id` is None for one that is not stored."""

    id: int | None = None
    provider: str
    model: str
    aliases: tuple[str, ...] = ()
    organization_id: int | None = None
    resource_type: str = "llm_tokens"
    service_tier: str = "standard"
    effective_from: datetime = FROM_EVER
    window_start: time = time.min
    window_end: time = time.min
    prices: Prices = NO_PRICES
    tiers: tuple[PriceTier, ...] = ()
    request_usd: Decimal | None = None
    unit_price_usd: Decimal | None = None
    source: str = "manual"
    source_version: str = ""
    is_used: bool = False
    updated_at: datetime | None = None
    bands: tuple[Band, ...] = field(init=False, repr=False, compare=False)
    """Highest threshold first, the last one from the first token on."""
    request_picos: int = field(init=False, repr=False, compare=False)
    """The price of the call itself, in picodollars."""
    is_withdrawn: bool = field(init=False, repr=False, compare=False)
    """It has no price at all: from its beginning on the model is unpriced."""
    is_free: bool = field(init=False, repr=False, compare=False)
    """Every price that usage of its resource type pays is 0, and there is one."""
    covers_all_usage: bool = field(init=False, repr=False, compare=False)
    """No usage of its resource type can lack a price."""

    def __post_init__(self) -> None:
        """Resolve once what pricing asks for on every call."""
        base = self.prices.values()
        rows = sorted(((tier.above_input_tokens, tier.prices.values()) for tier in self.tiers), reverse=True)
        bands = [
            _band(above, [own if price is None else price for price, own in zip(values, base, strict=True)])
            for above, values in rows
        ]
        known = [price for price in (*base, self.request_usd, self.unit_price_usd) if price is not None]
        known += [price for _, values in rows for price in values if price is not None]
        bands.append(_band(-1, list(base)))
        object.__setattr__(self, "bands", tuple(bands))
        object.__setattr__(self, "request_picos", _picos(self.request_usd or Decimal(0), places=PICO_PLACES))
        object.__setattr__(self, "is_withdrawn", not known)
        if self.resource_type == ResourceType.LLM_TOKENS:
            covers = not any(band.missing for band in bands)
            has_one = any(len(band.missing) < _CLASSES for band in bands)
            picos = {self.request_picos, *(pico for band in bands for pico in (*band.input_picos, *band.output_picos))}
            is_free = has_one and not any(picos)
        else:
            covers = self.unit_price_usd is not None or self.request_usd is not None
            is_free = covers and not self.unit_price_usd and not self.request_usd
        object.__setattr__(self, "covers_all_usage", covers)
        object.__setattr__(self, "is_free", is_free)

    @property
    def is_windowed(self) -> bool:
        """It holds for a part of the day only."""
        return self.window_start != self.window_end


def _band(above: int, prices: list[Decimal | None]) -> Band:
    """Apply the fallbacks that the columns of Rate document."""
    plain, output, cache_read, cache_write, cache_write_1h, input_audio, output_audio, reasoning = prices
    five_minutes = plain if cache_write is None else cache_write
    resolved = (
        plain,
        plain if cache_read is None else cache_read,
        five_minutes,
        five_minutes if cache_write_1h is None else cache_write_1h,
        plain if input_audio is None else input_audio,
        output,
        output if reasoning is None else reasoning,
        output if output_audio is None else output_audio,
    )
    picos = tuple(0 if price is None else _picos(price, places=PICO_PLACES - 6) for price in resolved)
    return Band(above, picos[:5], picos[5:], tuple(i for i, price in enumerate(resolved) if price is None))


def _picos(usd: Decimal, *, places: int) -> int:
    """`usd` times 10 to the `places` as a whole number; raises decimal.Inexact if it is none."""
    return int(EXACT.to_integral_exact(EXACT.scaleb(usd, places)))
