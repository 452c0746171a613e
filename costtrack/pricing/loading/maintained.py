"""The maintained price data: genai-prices at its installed version, with our supplement laid where it has nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from importlib.resources import files

from costtrack.conf import settings
from costtrack.pricing.loading.drafts import DraftRate
from costtrack.pricing.loading.files import read_drafts
from costtrack.pricing.loading.follow import LoadReport, follow
from costtrack.pricing.loading.genai_prices import SOURCE, GenaiRates, installed_rates
from costtrack.pricing.loading.rows import FileDefaults

SUPPLEMENT = "supplement"
MANAGED_SOURCES = (SOURCE, SUPPLEMENT)
"""Rates of other sources are people's own: maintained data never overrides them."""


def load_maintained_rates(
    *, now: datetime, using: str | None = None, is_dry_run: bool = False, rates: GenaiRates | None = None
) -> LoadReport:
    """Bring the global rates up to the installed data; again without a newer version changes nothing.

    Models that the data no longer has are withdrawn from `now`. `rates` may be given instead of the installed ones.
    """
    drafts, ignored = maintained_drafts(rates)
    return follow(
        drafts,
        now=now,
        using=using or settings.database,
        managed_sources=MANAGED_SOURCES,
        ends_missing=True,
        ignored=ignored,
        is_dry_run=is_dry_run,
    )


def maintained_drafts(rates: GenaiRates | None = None) -> tuple[list[DraftRate], Counter[str]]:
    """The drafts of genai-prices and those of the supplement that it lacks, and what was left out."""
    rates = rates or installed_rates()
    ignored = Counter(rates.ignored)
    known = {(draft.rate.provider, name) for draft in rates.drafts for name in (draft.rate.model, *draft.rate.aliases)}
    added: list[DraftRate] = []
    for draft in supplement_drafts():
        if (draft.rate.provider, draft.rate.model) in known:
            ignored["supplement, by now in genai-prices"] += 1
        else:
            added.append(draft)
    return [*rates.drafts, *added], ignored


def supplement_drafts() -> Iterable[DraftRate]:
    """The rates of `supplement.yaml`."""
    text = files(__package__).joinpath("supplement.yaml").read_text(encoding="utf-8")
    return read_drafts(text, file_format="yaml", defaults=FileDefaults(source=SUPPLEMENT))[0]
