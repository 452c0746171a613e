"""The prices that tests calculate with: those that ship with costtrack, and a host's own from a file. No database."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

from costtrack.pricing.canonical import rate_names
from costtrack.pricing.loading.files import FORMATS, read_drafts
from costtrack.pricing.loading.maintained import maintained_drafts
from costtrack.pricing.loading.rows import FileDefaults
from costtrack.pricing.priced_rate import PricedRate
from costtrack.pricing.ratebook import RateBook

HOST = 1
"""The organization of the host's own rates in a book made here: as in the ledger, they come before the global ones."""


@cache
def shipped_book() -> RateBook:
    """The installed price data as `load_rates` would load it, read once per process: that takes about 0.5 s."""
    drafts, _ = maintained_drafts()
    return RateBook(draft.rate for draft in drafts)


def book_with(rates: Path | str | None) -> RateBook:
    """The shipped prices, under those of the rate file `rates` if there is one. Raises RateFileError for a bad file."""
    if rates is None:
        return shipped_book()
    path = Path(rates)
    file_format = FORMATS.get(path.suffix.lower(), "")
    drafts, _ = read_drafts(
        path.read_text(encoding="utf-8-sig"), file_format=file_format, defaults=FileDefaults(source=path.name)
    )
    return RateBook([*(_of_host(draft.rate) for draft in drafts), *shipped_book().rates])


def _of_host(rate: PricedRate) -> PricedRate:
    """The rate as the host's own; one that names no provider has the one that its model id names, if it does."""
    provider, model = (rate.provider, rate.model) if rate.provider else rate_names("", rate.model)
    return replace(rate, organization_id=HOST, provider=provider, model=model if provider else rate.model)
