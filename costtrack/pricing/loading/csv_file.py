"""A CSV rate file as rows, one rate a line; its header names columns of `rows.COLUMNS` but `tiers`."""

from __future__ import annotations

import csv
import io

from costtrack.exceptions import RateFileError
from costtrack.pricing.loading.rows import COLUMNS, FileRow

CSV_COLUMNS = tuple(name for name in COLUMNS if name != "tiers")


def read_csv(text: str) -> list[FileRow]:
    """The lines below the header. Raises RateFileError for a header that is not known or cells without one."""
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    rows: list[FileRow] = []
    problems: list[tuple[int, str]] = []
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
            elif len(cells) > len(header):
                problems.append((line, f"has {len(cells)} cells, the header {len(header)}"))
            else:
                rows.append(FileRow(line, dict(zip(header, (cell.strip() for cell in cells), strict=False))))
    except csv.Error as fault:
        problems.append((reader.line_num, f"is no CSV: {fault}"))
    if header is None:
        problems.append((1, "is empty; expected a header"))
    if problems:
        raise RateFileError(problems)
    return rows


def _check(header: list[str], line: int) -> None:
    unknown = [name or "(empty)" for name in header if name not in CSV_COLUMNS]
    if unknown:
        raise RateFileError([(line, f"does not know the columns {', '.join(unknown)}; see `load_rates --help`")])
    if "model" not in header or len(set(header)) < len(header):
        raise RateFileError([(line, "needs a header with `model` and no column twice")])
