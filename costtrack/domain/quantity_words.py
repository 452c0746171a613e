"""A quantity of a budget for people, with its unit."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal

from costtrack.domain.money import format_usd

CENT = Decimal("0.01")
_UNITS = {"tokens": "tokens", "calls": "calls", "amount": "units"}
_CONTEXT = Context(prec=60, rounding=ROUND_HALF_EVEN)


def quantity_words(value: Decimal, metric: str) -> str:
    """`$12.50`, `12,500 tokens`, `3 calls`, `2.5 units`; a quantity that would be rounded to nothing is not rounded."""
    if metric == "cost_usd":
        return format_usd(value, 6 if value and abs(value) < CENT else 2)
    places = CENT if metric == "amount" else Decimal(1)
    shown = value if abs(value) < places else value.quantize(places, context=_CONTEXT)
    text = f"{shown:,f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return f"{text} {_UNITS[metric]}"
