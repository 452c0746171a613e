"""What tokens and amounts cost at a rate, exactly: multiply first, divide by a million last, round nothing.

Crossing a long-context threshold re-rates the whole request, input and output. Cached tokens count towards it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from costtrack.domain.money import EXACT, round_cost
from costtrack.domain.tokens import TokenUsage
from costtrack.pricing.decimals import plain_decimal
from costtrack.pricing.priced_rate import Band, PricedRate

_ZERO = Decimal(0)


class CostLine(NamedTuple):
    """One token class of a cost."""

    token_class: str
    """input, cache_read, cache_write, cache_write_1h, input_audio, output, reasoning or output_audio."""
    tokens: int
    """Tokens of this class alone: classes do not overlap here."""
    usd_per_million: Decimal
    cost_usd: Decimal


class CostBreakdown(NamedTuple):
    """A cost in US dollars by its parts; `total_usd` is the exact sum of the three others."""

    input_usd: Decimal
    output_usd: Decimal
    request_usd: Decimal
    """The price of the call itself, on top of its tokens."""
    total_usd: Decimal
    tokens: TokenUsage
    band: Band
    """The prices that hold for a request of this size."""

    @property
    def lines(self) -> tuple[CostLine, ...]:
        """One for each class that has tokens, in the order of the prices; their costs sum up to input and output."""
        counts = (*_input_counts(self.tokens), *_output_counts(self.tokens))
        return tuple(
            CostLine(name, count, price, plain_decimal(EXACT.scaleb(EXACT.multiply(price, count), -6)))
            for name, count, price in zip(
                _CLASSES, counts, (*self.band.input_prices, *self.band.output_prices), strict=True
            )
            if count and price is not None
        )


_CLASSES = (
    "input",
    "cache_read",
    "cache_write",
    "cache_write_1h",
    "input_audio",
    "output",
    "reasoning",
    "output_audio",
)


def _input_counts(tokens: TokenUsage) -> tuple[int, int, int, int, int]:
    """The disjoint classes of the input, plain text first."""
    read, write, write_1h, audio = (
        tokens.cache_read_tokens,
        tokens.cache_write_tokens,
        tokens.cache_write_1h_tokens,
        tokens.input_audio_tokens,
    )
    return tokens.input_tokens - read - write - write_1h - audio, read, write, write_1h, audio


def _output_counts(tokens: TokenUsage) -> tuple[int, int, int]:
    """The disjoint classes of the output, plain text first."""
    reasoning, audio = tokens.reasoning_tokens, tokens.output_audio_tokens
    return tokens.output_tokens - reasoning - audio, reasoning, audio


def cost_of_tokens(tokens: TokenUsage, rate: PricedRate) -> CostBreakdown | None:
    """The exact cost of one call, or None (unpriced) where a class with tokens has no price."""
    input_tokens = tokens.input_tokens
    for band in rate.bands:
        if input_tokens > band.above:
            break
    input_usd = _sum(_input_counts(tokens), band.input_prices)
    output_usd = _sum(_output_counts(tokens), band.output_prices)
    if input_usd is None or output_usd is None or rate.is_withdrawn:
        return None
    total_usd = EXACT.add(input_usd, output_usd)
    if rate.request_usd is None:
        return CostBreakdown(input_usd, output_usd, _ZERO, total_usd, tokens, band)
    return CostBreakdown(input_usd, output_usd, rate.request_usd, EXACT.add(total_usd, rate.request_usd), tokens, band)


def _sum(counts: tuple[int, ...], prices: tuple[Decimal | None, ...]) -> Decimal | None:
    """USD for `counts` tokens at `prices` per million; None where a price is missing that is needed."""
    total = _ZERO
    for count, price in zip(counts, prices, strict=True):
        if count:
            if price is None:
                return None
            total = EXACT.fma(price, count, total)
    return EXACT.scaleb(total, -6)


def cost_of_amount(amount: Decimal, rate: PricedRate) -> Decimal | None:
    """The cost of an amount of another resource, rounded to 12 decimals; None where the rate has no unit price.

    A price per call is added once.
    """
    if rate.unit_price_usd is None:
        return rate.request_usd
    cost = EXACT.multiply(amount, rate.unit_price_usd)
    return round_cost(cost if rate.request_usd is None else EXACT.add(cost, rate.request_usd))
