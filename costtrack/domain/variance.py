"""Estimates compared with what came of them: differences and ratios, rounded as people are shown them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal

COST_PLACES = 6
RATIO_PLACES = 4
_ROUNDING = Context(prec=60, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """An estimate and the actual figure. What can not be told is None: nothing is compared with nothing."""

    estimated: Decimal | None
    actual: Decimal | None
    delta: Decimal | None
    """The actual figure less the estimate; None where either is."""
    ratio: Decimal | None
    """The actual figure by the estimate, to 4 places; None where either is, or where the estimate is 0."""


def compared(estimated: Decimal | int | None, actual: Decimal | int | None, *, places: int | None = None) -> Compared:
    """The two with their difference and ratio, of the exact figures; then rounded half-even to `places`, if given."""
    before, after = _decimal(estimated), _decimal(actual)
    delta = None if before is None or after is None else _ROUNDING.subtract(after, before)
    ratio = None if not before or after is None else _ROUNDING.divide(after, before)
    return Compared(
        estimated=rounded_or_none(before, places=places),
        actual=rounded_or_none(after, places=places),
        delta=rounded_or_none(delta, places=places),
        ratio=rounded_or_none(ratio, places=RATIO_PLACES),
    )


def rounded_or_none(value: Decimal | None, *, places: int | None) -> Decimal | None:
    """The value at that many decimals, half-even; None stays None, and without places it stays as it is."""
    if value is None or places is None:
        return value
    return value.quantize(Decimal(1).scaleb(-places), context=_ROUNDING)


def _decimal(value: Decimal | int | None) -> Decimal | None:
    return None if value is None else Decimal(value)
