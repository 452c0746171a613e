"""Rates as people see them: whose, what each thing costs, since when and until when, where the price is from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from costtrack.dashboard.words import NONE, instant_words
from costtrack.domain.events import ServiceTier
from costtrack.domain.money import decimal_text
from costtrack.domain.periods import ZoneHistory
from costtrack.models import Rate, RateTier
from costtrack.models.rates import FROM_EVER, PRICE_FIELDS
from costtrack.reporting.wording import one_line

OWN_COLUMN = ("input_usd_per_million", "output_usd_per_million", "cache_read_usd_per_million")
"""The prices that nearly every model has; the others are told in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLine:
    """One rate."""

    id: int
    model: str
    provider: str
    owner: str
    tags: list[str]
    """What it is of, where that is not plain: a service tier, a resource, hours of the day."""
    input: str
    output: str
    cached: str
    others: list[str]
    since: str
    until: str
    state: str
    """`ended` or `begins later`; "" in force."""
    source: str


def rate_line(rate: Any, *, at: datetime, zone: ZoneHistory) -> RateLine:
    """A line of a rate that has `ends_at`, its organization and tiers loaded; its state is that of the instant `at`."""
    prices = [_dollars(getattr(rate, name)) for name in OWN_COLUMN]
    return RateLine(
        id=rate.pk,
        model=one_line(rate.model),
        provider=one_line(rate.provider) if rate.provider else "any provider",
        owner="everyone" if rate.organization is None else one_line(str(rate.organization)),
        tags=list(_tags(rate)),
        input=prices[0],
        output=prices[1],
        cached=prices[2],
        others=list(_others(rate)),
        since="ever" if rate.effective_from <= FROM_EVER else instant_words(rate.effective_from, zone=zone),
        until=instant_words(rate.ends_at, zone=zone),
        state=_state(rate, at),
        source=one_line(f"{rate.source} {rate.source_version}"),
    )


def _state(rate: Any, at: datetime) -> str:
    if rate.effective_from > at:
        return "begins later"
    return "ended" if rate.ends_at is not None and rate.ends_at <= at else ""


def _tags(rate: Rate) -> Iterator[str]:
    if rate.service_tier != ServiceTier.STANDARD:
        yield one_line(rate.service_tier)
    if rate.resource_type != "llm_tokens":
        yield one_line(rate.resource_type)
    if rate.window_start != rate.window_end:
        yield f"{rate.window_start:%H:%M} to {rate.window_end:%H:%M} UTC"


def _others(rate: Rate) -> Iterator[str]:
    """All prices that have no column; that it has none, if so."""
    words = [*_words(rate, without=OWN_COLUMN)]
    words += [f"{_dollars(rate.request_usd)} per call"] if rate.request_usd is not None else []
    words += [f"{_dollars(rate.unit_price_usd)} per unit"] if rate.unit_price_usd is not None else []
    words += [f"above {tier.above_input_tokens:,} input tokens: {', '.join(_words(tier))}" for tier in rate.tiers.all()]
    is_withdrawn = not words and all(getattr(rate, name) is None for name in OWN_COLUMN)
    yield from ["no price: withdrawn"] if is_withdrawn else words


def _words(prices: Rate | RateTier, *, without: tuple[str, ...] = ()) -> Iterator[str]:
    for name in PRICE_FIELDS:
        price = getattr(prices, name)
        if price is not None and name not in without:
            yield f"{name.removesuffix('_usd_per_million').replace('_', ' ')} {_dollars(price)}"


def _dollars(price: Decimal | None) -> str:
    return NONE if price is None else f"${decimal_text(price)}"
