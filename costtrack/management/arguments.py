"""Argument types and output that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import date


def iso_day(text: str) -> date:
    """A day written as 2026-11-24."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day; expected YYYY-MM-DD, e.g. 2026-11-24") from None
    if not 1970 <= day.year <= 9000:
        raise argparse.ArgumentTypeError(f"{text!r} is out of range; expected a year from 1970 to 9000")
    return day


def aligned(rows: Sequence[Sequence[str]], *, numbers: frozenset[int] = frozenset()) -> str:
    """A plain-text table; the columns of `numbers` are right-aligned."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if column in numbers else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
