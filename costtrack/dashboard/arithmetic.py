"""The arithmetic of a cost in words, and as lines of a table."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from costtrack.domain.money import decimal_text
from costtrack.pricing.priced_rate import PricedRate
from costtrack.reporting.cost_arithmetic import CostArithmetic, NoArithmetic
from costtrack.reporting.wording import one_line


class ArithmeticLine(NamedTuple):
    """So much of something, at a price, makes so much."""

    what: str
    number: str
    price: str
    cost: str


def arithmetic_lines(found: CostArithmetic | NoArithmetic) -> list[ArithmeticLine]:
    """What adds up to the cost; nothing where nothing does."""
    if isinstance(found, NoArithmetic):
        return []
    lines = [
        ArithmeticLine(
            f"{line.token_class.replace('_', ' ')} tokens",
            f"{line.tokens:,}",
            f"{_dollars(line.usd_per_million)} per 1M",
            _dollars(line.cost_usd),
        )
        for line in found.lines
    ]
    if (units := found.units) is not None:
        price = f"{_dollars(units.unit_price_usd)} per unit"
        lines.append(
            ArithmeticLine(one_line(units.resource_type), decimal_text(units.amount), price, _dollars(units.cost_usd))
        )
    if found.request_usd is not None:
        lines.append(
            ArithmeticLine("call", "1", f"{_dollars(found.request_usd)} per call", _dollars(found.request_usd))
        )
    return lines


def arithmetic_words(found: CostArithmetic | NoArithmetic) -> str:
    """`1,000 input tokens x $3 per 1M + 100 output tokens x $15 per 1M`; or why there is no such sum."""
    if isinstance(found, NoArithmetic):
        return str(found.label)
    return " + ".join(f"{line.number} {line.what} × {line.price}" for line in arithmetic_lines(found))  # noqa: RUF001


def rate_words(rate: PricedRate) -> str:
    """Which rate: `openai/gpt-4o, standard, from 2024-10-02`."""
    model = f"{rate.provider}/{rate.model}" if rate.provider else rate.model
    since = "" if rate.effective_from.year <= 1970 else f", from {rate.effective_from:%Y-%m-%d}"
    return f"{one_line(model)}, {one_line(rate.service_tier)}{since}"


def _dollars(value: Decimal) -> str:
    return f"${decimal_text(value)}"
