"""Rows as CSV (RFC 4180, UTF-8), safe to be opened by a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from costtrack.domain.periods import ZoneHistory
from costtrack.reporting.columns import Column, Kind, json_value

FORMULA_SIGNS = "=+-@"
"""What a spreadsheet takes a cell for a formula by."""
CONTROLS = "\t\r\n"
"""Some read on behind these: there, a cell could be split, and its rest be a formula."""


def csv_header(columns: Sequence[Column]) -> bytes:
    """The line of the names."""
    return _lines([[column.name for column in columns]])


def csv_rows(columns: Sequence[Column], rows: Iterable[Any], *, zone: ZoneHistory) -> bytes:
    """A line for each row; b"" for none."""
    return _lines([csv_cell(column.kind, column.value(row), zone=zone) for column in columns] for row in rows)


def csv_cell(kind: Kind, value: Any, *, zone: ZoneHistory) -> str:
    """A value as text: None is empty, a number is plain, a text that could be a formula is guarded by an apostrophe."""
    if value is None:
        return ""
    if kind is Kind.TEXT:
        return guarded(str(value))
    if kind is Kind.DATA:
        return guarded(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    if kind is Kind.BOOLEAN:
        return "true" if value else "false"
    return str(json_value(kind, value, zone=zone))


def guarded(text: str) -> str:
    """The text; behind an apostrophe if a spreadsheet could take it for a formula (CWE-1236).

    That is one of = + - @, their full-width and small forms too, also behind blanks and characters that do not show.
    """
    for character in text:
        if character.isalnum():
            break
        if character in CONTROLS or unicodedata.normalize("NFKC", character) in FORMULA_SIGNS:
            return f"'{text}"
        if character.isprintable() and not character.isspace():
            break
    return text


def _lines(rows: Iterable[Sequence[str]]) -> bytes:
    lines = io.StringIO(newline="")
    csv.writer(lines).writerows(rows)
    return lines.getvalue().encode(errors="replace")  # half a surrogate pair, which SQLite keeps, is no end of it all
