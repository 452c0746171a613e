"""Rates from a file that people keep: YAML, CSV or LiteLLM's JSON. All of it is loaded, or nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from costtrack.conf import settings
from costtrack.exceptions import RateFileError
from costtrack.pricing.canonical import rate_names
from costtrack.pricing.loading.csv_file import read_csv
from costtrack.pricing.loading.drafts import DraftRate, key_of
from costtrack.pricing.loading.follow import LoadReport, follow
from costtrack.pricing.loading.litellm_file import read_litellm
from costtrack.pricing.loading.lost_prices import lost_prices
from costtrack.pricing.loading.rows import FileDefaults, FileRow, Problems, draft_of
from costtrack.pricing.loading.tool_rates import tools_with_a_model
from costtrack.pricing.loading.yaml_file import read_yaml
from costtrack.pricing.ratebook import RateBook, current_ratebook

FORMATS: Mapping[str, str] = MappingProxyType({".yaml": "yaml", ".yml": "yaml", ".csv": "csv", ".json": "litellm"})
"""A file's ending to its format."""


def load_rate_file(
    path: Path,
    *,
    now: datetime,
    file_format: str = "",
    organization_id: int | None = None,
    provider: str = "",
    effective_from: datetime | None = None,
    using: str | None = None,
    is_dry_run: bool = False,
) -> LoadReport:
    """Load the rates of `path`, as those of one organization if given; models that it does not name stay.

    Raises RateFileError with every bad line, and then has loaded nothing.
    """
    return load_rate_text(
        _text(path),
        file_format=file_format or FORMATS.get(path.suffix.lower(), ""),
        source=path.name,
        now=now,
        organization_id=organization_id,
        provider=provider,
        effective_from=effective_from,
        using=using,
        is_dry_run=is_dry_run,
    )


def load_rate_text(
    text: str,
    *,
    file_format: str,
    source: str,
    now: datetime,
    organization_id: int | None = None,
    provider: str = "",
    effective_from: datetime | None = None,
    using: str | None = None,
    is_dry_run: bool = False,
) -> LoadReport:
    """The same of a file's text; `source` is noted with the rates that do not say where they come from."""
    defaults = FileDefaults(provider=provider, effective_from=effective_from, source=source)
    drafts, ignored = read_drafts(text, file_format=file_format, defaults=defaults)
    alias = using or settings.database
    book = current_ratebook(using=alias)
    placed = [_placed(draft, book=book if organization_id is None else None, now=now) for draft in drafts]
    return follow(
        placed,
        now=now,
        using=alias,
        organization_id=organization_id,
        ignored=ignored,
        warnings=[
            *lost_prices(placed, book=book, organization_id=organization_id, now=now),
            *tools_with_a_model(placed),
        ],
        is_dry_run=is_dry_run,
    )


def read_drafts(text: str, *, file_format: str, defaults: FileDefaults) -> tuple[list[DraftRate], Counter[str]]:
    """The drafts of a file's text (format yaml, csv or litellm), and what was left out; raises RateFileError."""
    problems: Problems = []
    drafts: list[DraftRate] = []
    ignored: Counter[str] = Counter()
    if file_format == "litellm":
        loaded = read_litellm(text, defaults=defaults, problems=problems)
        drafts, ignored = loaded.drafts, loaded.ignored
    elif file_format in ("yaml", "csv"):
        rows = read_yaml(text) if file_format == "yaml" else read_csv(text)
        drafts = drafts_of(rows, defaults=defaults, problems=problems)
    else:
        raise RateFileError([(1, "is of no known format; name it with --format yaml, csv or litellm")])
    if problems:
        raise RateFileError(sorted(problems))
    if not drafts and not ignored:
        raise RateFileError([(1, "The file holds no rates.")])
    return drafts, ignored


def drafts_of(rows: Iterable[FileRow], *, defaults: FileDefaults, problems: Problems) -> list[DraftRate]:
    """The drafts that `rows` state, without the bad ones, of which `problems` says what is wrong."""
    drafts: list[DraftRate] = []
    first_line: dict[object, int] = {}
    for row in rows:
        draft = draft_of(row, defaults=defaults, problems=problems)
        if draft is None:
            continue
        key = (key_of(draft.rate), draft.rate.effective_from)
        if (line := first_line.setdefault(key, row.line)) != row.line:
            problems.append((row.line, f"{draft.rate.model} stands twice, first in line {line}"))
        drafts.append(draft)
    return drafts


def _placed(draft: DraftRate, *, book: RateBook | None, now: datetime) -> DraftRate:
    """A rate without a provider gets the one that its model id names, or that sells the model by the global `book`.

    What is left without one holds for the model id whoever hosts it, as do an organization's own such rates.
    """
    rate = draft.rate
    if rate.provider:
        return draft
    provider, model = rate_names("", rate.model)
    if provider:
        return replace(draft, rate=replace(rate, provider=provider, model=model))
    match = book.find(model=rate.model, resource_type=rate.resource_type, at=now) if book else None
    return replace(draft, rate=replace(rate, provider=match.rate.provider)) if match else draft


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = path.read_bytes().count(b"\n", 0, fault.start) + 1
        raise RateFileError([(line, "is not UTF-8")]) from None
