"""How reports for people write names, money and counts."""

from __future__ import annotations

import unicodedata
from decimal import Decimal

from costtrack.domain.money import decimal_text, format_usd

CENT = Decimal("0.01")
NO_NAME = "(none)"
"""How an empty name is written."""
TURNS_TEXT = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""The characters that change the direction of what follows."""


def usd_text(value: Decimal | None) -> str:
    """Dollars to the cent: `$38.21`; less than a cent with 6 decimals, so that it is not shown as nothing."""
    return format_usd(value, 6 if value and abs(value) < CENT else 2)


def quantity_text(value: Decimal, metric: str) -> str:
    """An amount in a budget's metric: dollars as $12.50, all else as 12,500."""
    if metric == "cost_usd":
        return usd_text(value)
    whole, dot, decimals = decimal_text(value).partition(".")
    return f"{int(whole):,}{dot}{decimals}"


def counted(number: int, noun: str) -> str:
    """For example `1 call`, `1,234 calls`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def one_line(name: str) -> str:
    """A name as it can stand inside a line; an empty one is NO_NAME.

    Names come from events, so control characters become blanks and text-turning ones go.
    """
    shown = "".join(
        " " if unicodedata.category(character) in ("Cc", "Zl", "Zp") else character
        for character in name
        if character not in TURNS_TEXT
    )
    return shown.strip() or NO_NAME
