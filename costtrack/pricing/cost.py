"""What tokens and amounts cost at a rate, exactly: multiply first, divide by a million last, round nothing.

Crossing a long-context threshold re-rates the whole request, input and output. Cached tokens count towards it.
Tokens are multiplied as whole picodollars (1e-12 USD): a price of 6 decimals per million tokens is a whole number of
them per token, so no step can be inexact.
"""

from __future__ import annotations

from decimal import Decimal
from operator import mul
from typing import NamedTuple

from costtrack.domain.money import EXACT, decimal_text, round_cost
from costtrack.domain.tokens import TokenUsage
from costtrack.pricing.decimals import plain_decimal
from costtrack.pricing.priced_rate import PICO_PLACES, Band, PricedRate


class CostLine(NamedTuple):
    """One token class of a cost."""

    token_class: str
    """input, cache_read, cache_write, cache_write_1h, input_audio, output, reasoning or output_audio."""
    tokens: int
    """Tokens of this class alone: classes do not overlap here."""
    usd_per_million: Decimal
    cost_usd: Decimal


class CostBreakdown(NamedTuple):
    """A cost by its parts. Ask for `input_usd`, `output_usd`, `request_usd`, `total_usd` and `lines`."""

    input_picos: int
    """Picodollars."""
    output_picos: int
    request_picos: int
    tokens: TokenUsage
    band: Band
    """The prices that hold for a request of this size."""

    def __repr__(self) -> str:
        """The US dollars of each part, without the figures that they are worked out from."""
        names = ("input_usd", "output_usd", "request_usd", "total_usd")
        return f"CostBreakdown({', '.join(f'{name}={decimal_text(getattr(self, name))}' for name in names)})"

    @property
    def input_usd(self) -> Decimal:
        """US dollars for the input."""
        return _usd(self.input_picos)

    @property
    def output_usd(self) -> Decimal:
        """US dollars for the output."""
        return _usd(self.output_picos)

    @property
    def request_usd(self) -> Decimal:
        """US dollars for the call itself, on top of its tokens."""
        return _usd(self.request_picos)

    @property
    def total_usd(self) -> Decimal:
        """US dollars in all."""
        return _usd(self.input_picos + self.output_picos + self.request_picos)

    @property
    def lines(self) -> tuple[CostLine, ...]:
        """One for each class that has tokens, in the order of the prices; their costs sum up to input and output."""
        counts = (*_input_counts(self.tokens), *_output_counts(self.tokens))
        prices = (*self.band.input_picos, *self.band.output_picos)
        return tuple(
            CostLine(name, count, plain_decimal(EXACT.scaleb(Decimal(picos), -6)), _usd(count * picos))
            for name, count, picos in zip(_CLASSES, counts, prices, strict=True)
            if count
        )


def _usd(picos: int) -> Decimal:
    """US dollars, without trailing zeros."""
    dollars, rest = divmod(picos, 10**PICO_PLACES)
    return EXACT.scaleb(Decimal(picos), -PICO_PLACES).normalize(EXACT) if rest else Decimal(dollars)


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
    for band in rate.bands:
        if tokens.input_tokens > band.above:
            break
    ins, outs = _input_counts(tokens), _output_counts(tokens)
    if rate.is_withdrawn or (band.missing and any((*ins, *outs)[index] for index in band.missing)):
        return None
    return CostBreakdown(
        sum(map(mul, ins, band.input_picos)), sum(map(mul, outs, band.output_picos)), rate.request_picos, tokens, band
    )


def cost_of_calls(
    tokens: TokenUsage, rate: PricedRate, *, input_tokens_of_one: int, paying_calls: int
) -> Decimal | None:
    """The exact cost of several calls whose `tokens` are summed up; None where a class with tokens has no price.

    The calls are alike: `input_tokens_of_one` of any of them says which long-context prices hold for all. Only
    `paying_calls` pay what the rate has per call.
    """
    for band in rate.bands:
        if input_tokens_of_one > band.above:
            break
    counts = (*_input_counts(tokens), *_output_counts(tokens))
    if rate.is_withdrawn or any(counts[index] for index in band.missing):
        return None
    return _usd(sum(map(mul, counts, (*band.input_picos, *band.output_picos))) + rate.request_picos * paying_calls)


def cost_of_amount(amount: Decimal, rate: PricedRate) -> Decimal | None:
    """The cost of an amount of another resource, rounded to 12 decimals; None where the rate has no unit price.

    A price per call is added once.
    """
    if rate.unit_price_usd is None:
        return rate.request_usd
    cost = EXACT.multiply(amount, rate.unit_price_usd)
    return round_cost(cost if rate.request_usd is None else EXACT.add(cost, rate.request_usd))
