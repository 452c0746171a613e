"""Decimals as people write them."""

from __future__ import annotations

from decimal import Context, Decimal

_WIDE = Context(prec=60)


def plain_decimal(value: Decimal) -> Decimal:
    """The same number without trailing zeros and without an exponent above 0: 30, 0.06, 0."""
    short = value.normalize(_WIDE)
    exponent = short.as_tuple().exponent
    return short.quantize(Decimal(1), context=_WIDE) if isinstance(exponent, int) and exponent > 0 else short
