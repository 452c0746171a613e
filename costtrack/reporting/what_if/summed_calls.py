"""The calls of daily summaries as AlikeCalls, where those tell enough: they are read much faster than the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from django.db.models import QuerySet

from costtrack.domain.events import ResourceType, ServiceTier
from costtrack.domain.periods import DayRange
from costtrack.domain.tokens import TOKEN_FIELDS
from costtrack.models import DailyCostSummary
from costtrack.pricing.priced_rate import PricedRate
from costtrack.pricing.ratebook import RateBook
from costtrack.reporting.figures import Figures, read_figures, summary_sums
from costtrack.reporting.what_if.alike_calls import AlikeCalls
from costtrack.reporting.what_if.cuts import Cuts
from costtrack.reporting.what_if.ledger_calls import summed_tokens


class NotTold(Exception):
    """The summaries do not tell enough; the text says why."""


def check_rates(rates: Iterable[PricedRate], cuts: Cuts) -> None:
    """Raise NotTold where the price of a call depends on more than the sums of tokens, which is all they have."""
    known = list(rates)
    if cuts.above_input_tokens:
        raise NotTold("long requests have other prices, and a sum does not tell which requests were long")
    if cuts.is_any:
        raise NotTold("the prices changed within the period, or lack some class of tokens")
    if any(rate.service_tier != ServiceTier.STANDARD for rate in known):
        raise NotTold("there are prices of other service tiers, and a sum does not tell the tier of a call")
    if any(rate.request_usd for rate in known):
        raise NotTold("there is a price per call, which a failed call that used nothing does not pay")


def summed_calls(rows: QuerySet[DailyCostSummary], *, booked_by: RateBook, days: DayRange) -> list[AlikeCalls]:
    """The LLM calls of these summaries, by organization, provider and model (one query); NotTold if any are unclear."""
    noon = datetime(days.start.year, days.start.month, days.start.day, 12, tzinfo=UTC)
    groups = rows.values("organization_id", "provider", "model").annotate(**summary_sums()).order_by()
    found: list[AlikeCalls] = []
    for row in groups:
        figures = read_figures(row, using=rows.db)
        organization_id, provider, model = row["organization_id"], row["provider"], row["model"]
        if figures == Figures():
            continue  # taken back
        if not _all_usage_is_known(figures) or _may_be_free(booked_by, provider, model, organization_id):
            raise NotTold("of some calls the usage, or the cost so far, may not be known")
        found.append(
            AlikeCalls(
                organization_id=organization_id,
                resource_type=ResourceType.LLM_TOKENS,
                provider=provider,
                model=model,
                at=noon,
                input_tokens_of_one=0,
                calls=figures.calls,
                tokens=summed_tokens({name: getattr(figures, name) for name in TOKEN_FIELDS}),
                booked_usd=figures.cost_usd,
            )
        )
    return found


def _all_usage_is_known(figures: Figures) -> bool:
    """A call whose usage is missing is unpriced, or free, or has a reported cost."""
    return not figures.unpriced_calls and not figures.cost_reported_usd and figures.cost_estimated_usd > 0


def _may_be_free(book: RateBook, provider: str, model: str, organization_id: int) -> bool:
    return any(
        rate.is_free
        for tier in ServiceTier
        for rate in book.rates_for(model=model, provider=provider, organization_id=organization_id, service_tier=tier)
    )
