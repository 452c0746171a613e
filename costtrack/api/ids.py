"""Ids of rows in paths."""

from __future__ import annotations

LARGEST_ID = 2**63 - 1


def id_in(text: str) -> int | None:
    """The id that a text is, as it is written in answers; None for a text that is none."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST_ID))):
        return None
    number = int(text)
    return number if number <= LARGEST_ID and str(number) == text else None
