"""A CSV rate file as rows, one rate a line; its header names columns of `rows.COLUMNS` but `tiers`."""

from __future__ import annotations

import csv
import io

from costtrack.exceptions import RateFileError
from costtrack.pricing.loading.rows import COLUMNS, FileRow

CSV_COLUMNS = tuple(name for name in COLUMNS if name != "tiers")


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
                rows.append(FileRow(line, dict(zip(header, (cell.strip() for cell in cells), strict=True))))
    except csv.Error as fault:
        rows.append(FileRow(reader.line_num, {}, fault=f"is no CSV: {fault}; what follows was not read"))
    if header is None:
        raise RateFileError([(row.line, row.fault) for row in rows] or [(1, "is empty; expected a header")])
    return rows


def _check(header: list[str], line: int) -> None:
    unknown = [name or "(empty)" for name in header if name not in CSV_COLUMNS]
    if unknown:
        raise RateFileError([(line, f"does not know the columns {', '.join(unknown)}; see `load_rates --help`")])
    if "model" not in header or len(set(header)) < len(header):
        raise RateFileError([(line, "needs a header with `model` and no column twice")])
