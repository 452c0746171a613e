"""A rate card that is given, not stored: a file of rates, its rows, or prices by model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from costtrack.exceptions import RateFileError
from costtrack.pricing.canonical import rate_names
from costtrack.pricing.loading.drafts import DraftRate
from costtrack.pricing.loading.files import FORMATS, drafts_of, read_drafts
from costtrack.pricing.loading.rows import FileDefaults, FileRow, Problems
from costtrack.pricing.ratebook import RateBook
from costtrack.reporting.parameters import InvalidParameter

RateCard = Mapping[str, Mapping[str, Any]] | Sequence[Mapping[str, Any]] | Path
A_RATE_CARD = (
    "a rate file's path, a list of its rows, or prices by model, such as "
    '{"gpt-4o": {"input_per_1m": "2.5", "output_per_1m": "10"}}'
)
SOURCE = "what-if"


def rate_card(given: object, *, file_format: str = "") -> RateBook:
    """The rates as a book that nobody else sees. One without `effective_from` holds from ever.

    Raises RateFileError with every bad row, and InvalidParameter for what is no rate card at all.
    """
    problems: Problems = []
    if isinstance(given, Path):
        drafts = _of_file(given, file_format)
    else:
        drafts = drafts_of(_rows(given), defaults=FileDefaults(source=SOURCE), problems=problems)
    if problems:
        raise RateFileError(sorted(problems))
    return RateBook(_named(draft) for draft in drafts)


def _of_file(path: Path, file_format: str) -> list[DraftRate]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InvalidParameter("rates", str(path), f"a file that can be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise RateFileError([(1, "is not UTF-8")]) from None
    kind = file_format or FORMATS.get(path.suffix.lower(), "")
    drafts, _ = read_drafts(text, file_format=kind, defaults=FileDefaults(source=path.name))
    return drafts


def _rows(given: object) -> list[FileRow]:
    """As rows of a file: the first one is line 1."""
    if isinstance(given, Mapping):
        rows: list[object] = [
            {"model": name, **prices} if isinstance(prices, Mapping) else prices for name, prices in given.items()
        ]
    elif isinstance(given, Sequence) and not isinstance(given, str | bytes):
        rows = list(given)
    else:
        raise InvalidParameter("rates", given, A_RATE_CARD)
    if not rows or not all(isinstance(row, Mapping) and all(isinstance(name, str) for name in row) for row in rows):
        raise InvalidParameter("rates", given, A_RATE_CARD)
    return [FileRow(line, dict(row)) for line, row in enumerate(rows, start=1) if isinstance(row, Mapping)]


def _named(draft: DraftRate) -> Any:
    provider, model = rate_names(draft.rate.provider, draft.rate.model)
    return replace(draft.rate, provider=provider, model=model)
