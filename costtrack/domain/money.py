"""US dollars as Decimal: exact inside, rounded by one function, shown by another.

Rates have at most 6 decimals per 1,000,000 tokens, so a token cost has at most 12 and is exact. Only two
edges may round, both through `round_cost`: costs reported as floats, and amount x unit_price.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation
from functools import reduce

from costtrack.exceptions import InvalidUsage

COST_PLACES = 12
MAX_COST_USD = Decimal(10) ** 12
"""Costs stay below this: DecimalField(max_digits=24, decimal_places=12)."""

MILLION = Decimal(1_000_000)
_QUANTUM = Decimal(1).scaleb(-COST_PLACES)
_NANO = Decimal("1e-9")
_ROUNDING = Context(prec=60, rounding=ROUND_HALF_EVEN)

EXACT = Context(prec=60, traps=[Inexact, InvalidOperation])
"""Money is multiplied in this context: an inexact result raises instead of drifting."""


def round_cost(value: Decimal) -> Decimal:
    """`value` in USD at 12 decimals, half-even. The only place where a stored amount is rounded."""
    return value.quantize(_QUANTUM, context=_ROUNDING)


def exact_sum(values: Iterable[Decimal]) -> Decimal:
    """Their sum, not rounded; of none it is 0."""
    return reduce(EXACT.add, values, Decimal(0))


def parse_usd(field: str, value: object) -> Decimal:
    """A dollar amount given by a caller or a provider, as Decimal with at most 12 decimals.

    Floats are taken by their shortest decimal form (0.1 is 0.1). Raises InvalidUsage for booleans, text that
    is no number, NaN, infinities, negative values and values from 1e12 up.
    """
    number = parse_decimal(field, value)
    rounded = round_cost(number) if number < MAX_COST_USD else number
    if rounded < 0 or rounded >= MAX_COST_USD:
        raise InvalidUsage(field, value, "US dollars from 0 to below 1e12")
    return rounded


def parse_decimal(field: str, value: object) -> Decimal:
    """A finite Decimal from an int, float, Decimal or decimal string; raises InvalidUsage naming `field`."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal, str)):
        raise InvalidUsage(field, value, "a number")
    if isinstance(value, str) and len(value) > 60:
        raise InvalidUsage(field, value, "a number of at most 60 characters")
    if isinstance(value, int) and abs(value) > 10**30:
        raise InvalidUsage(field, value if abs(value) < 10**60 else "an integer of over 60 digits", "a number")
    try:
        number = Decimal(repr(value) if isinstance(value, float) else value)
    except InvalidOperation:
        raise InvalidUsage(field, value, "a number") from None
    if not number.is_finite():
        raise InvalidUsage(field, value, "a finite number")
    if number and not -40 <= number.adjusted() <= 40:
        raise InvalidUsage(field, value, "a number of ordinary size")
    return number


def format_usd(value: Decimal | None, places: int = 2) -> str:
    """Dollars for people: `$1,234.57`; None is `unpriced`. Rounds half-even, for display only."""
    if value is None:
        return "unpriced"
    rounded = value.quantize(Decimal(1).scaleb(-places), context=_ROUNDING)
    sign = "-" if rounded < 0 else ""
    return f"{sign}${rounded.copy_abs():,}"


def decimal_text(value: Decimal) -> str:
    """A Decimal as plain text without exponent or trailing zeros: `0.06`, `100`, `0`. For JSON."""
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("", "-0") else text


def plain(value: Decimal) -> Decimal:
    """The same number as people write it: without trailing zeros, and 0 is `0`, not `0E-12`."""
    return Decimal(decimal_text(value))


def decimal_from_database(value: object) -> Decimal:
    """A summed column as Decimal: NULL is 0, and SQLite's floats are taken to a nano-dollar."""
    if value is None:
        return Decimal(0)
    if isinstance(value, float):
        return Decimal(repr(value)).quantize(_NANO, context=_ROUNDING)
    return value if isinstance(value, Decimal) else Decimal(str(value))
