"""A CSV rate file as rows, one rate a line; its header names columns of `rows.COLUMNS`.

`tiers` is the list that YAML has, as JSON. An apostrophe before a sign that a spreadsheet takes for the beginning of a
formula is left out: exports put it there.
"""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal

from costtrack.exceptions import RateFileError
from costtrack.pricing.loading.rows import COLUMNS, FileRow

_GUARDED = ("'=", "'+", "'-", "'@")


def read_csv(text: str) -> list[FileRow]:
    """The lines below the header, bad ones with their fault. Raises RateFileError for a header that is not known."""
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    rows: list[FileRow] = []
    header: list[str] | None = None
    try:
        while True:
            line = reader.line_num + 1
            cells = next(reader, None)
            if cells is None:
                break
            if not any(cell.strip() for cell in cells):
                continue
            if header is None:
                header = [cell.strip().lower() for cell in cells]
                _check(header, line)
            elif len(cells) != len(header):
                rows.append(FileRow(line, {}, fault=f"has {len(cells)} cell(s), the header {len(header)}"))
            else:
                rows.append(_row(line, dict(zip(header, map(_unguarded, cells), strict=True))))
    except csv.Error as fault:
        rows.append(FileRow(reader.line_num, {}, fault=f"is no CSV: {fault}; what follows was not read"))
    if header is None:
        raise RateFileError([(row.line, row.fault) for row in rows] or [(1, "is empty; expected a header")])
    return rows


def _unguarded(cell: str) -> str:
    text = cell.strip()
    return text[1:] if text.startswith(_GUARDED) else text


def _row(line: int, values: dict[str, object]) -> FileRow:
    if not values.get("tiers"):
        return FileRow(line, values)
    try:
        tiers = json.loads(str(values["tiers"]), parse_float=Decimal)
    except (ValueError, RecursionError):
        return FileRow(line, values, fault='has tiers that are no JSON such as [{"above_input_tokens": 200000, ...}]')
    return FileRow(line, {**values, "tiers": tiers})


def _check(header: list[str], line: int) -> None:
    unknown = [name or "(empty)" for name in header if name not in COLUMNS]
    if unknown:
        raise RateFileError([(line, f"does not know the columns {', '.join(unknown)}; see `load_rates --help`")])
    if "model" not in header or len(set(header)) < len(header):
        raise RateFileError([(line, "needs a header with `model` and no column twice")])
