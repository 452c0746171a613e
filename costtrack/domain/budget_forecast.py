"""What a budget will have spent at its period's end, if it goes on as it has so far.

Not by `domain/forecast.py`, which needs days of history: budgets count tokens and calls too, per thread or customer, by
the minute or for ever (`docs/decisions/0019-forecast.md`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal

from costtrack.domain.budget_periods import Period

SHARE_NEEDED = Decimal("0.05")
"""So much of the period must have passed: before that one call more or less would turn the forecast around."""
RUN_RATE = "run rate: what is spent / the share of the period that has passed"
"""How a forecast is made."""
_PLACES = Decimal("1e-12")
_CONTEXT = Context(prec=60, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class Forecast:
    """An amount with how it came about; or none, with why not."""

    amount: Decimal | None
    method: str


def forecast_at(period: Period, *, now: datetime, spent: Decimal) -> Forecast:
    """The run rate of the part of the period that has passed, at 12 decimals; nothing where that says too little."""
    if period.end is None:
        return Forecast(None, "no forecast: this budget has no end")
    length, passed = period.end - period.start, now - period.start
    # In microseconds, which are whole: no float comes in.
    whole, so_far = length // length.resolution, passed // passed.resolution
    if so_far < SHARE_NEEDED * whole:
        return Forecast(None, "not enough data: less than 5 % of the period has passed")
    if spent <= 0:
        return Forecast(None, "not enough data: nothing is spent yet")
    amount = _CONTEXT.divide(_CONTEXT.multiply(spent, Decimal(whole)), Decimal(min(so_far, whole)))
    return Forecast(amount.quantize(_PLACES, context=_CONTEXT), RUN_RATE)
