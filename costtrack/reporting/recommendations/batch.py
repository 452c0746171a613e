"""Calls that nobody waits for, on models that have a lower price for batches."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from django.db.models import Q

from costtrack.conf import settings
from costtrack.domain.events import ServiceTier, UsageKind
from costtrack.domain.money import format_usd
from costtrack.reporting.recommendations.asked import GROUPED_BY, Asked, Place, Saved, saved_by, where
from costtrack.reporting.recommendations.recommendation import Confidence, Recommendation, RecommendationKind
from costtrack.reporting.what_if.alike_calls import AlikeCalls
from costtrack.reporting.what_if.cuts import Cuts
from costtrack.reporting.what_if.ledger_calls import ledger_calls
from costtrack.reporting.what_if.other_prices import OtherPrices
from costtrack.reporting.wording import counted, one_line, usd_text

SOMEBODY_WAITS = ~Q(thread_id="") | ~Q(customer="") | ~Q(user="") | ~Q(request_id="")
"""A call of a conversation, for a customer or user, or within a web request, which has an id."""
GUESSED = (
    "If nobody waits for them: no call of this endpoint had a thread, a customer, a user or a request id. Batches are "
    'answered within a day. COSTTRACK["BATCHABLE_ENDPOINTS"] says which endpoints can wait.'
)
NAMED = 'COSTTRACK["BATCHABLE_ENDPOINTS"] says that this endpoint can wait. Batches are answered within a day.'


def batchable_calls(asked: Asked) -> Iterator[Recommendation]:
    """One for each project, agent, endpoint and model whose calls could go in batches."""
    endpoints, is_named = _endpoints(asked)
    rows = asked.llm_calls.filter(service_tier=ServiceTier.STANDARD, endpoint__in=endpoints)
    prices = OtherPrices(book=asked.book, service_tier=ServiceTier.BATCH)
    rates = [
        rate
        for provider, gateway, model in (asked.models() if endpoints else ())
        for rate in asked.book.rates_for(
            model=model,
            provider=provider,
            gateway=gateway,
            organization_id=asked.organization.pk,
            service_tier=ServiceTier.BATCH,
        )
    ]
    if not any(rate.service_tier == ServiceTier.BATCH for rate in rates):
        return

    def prices_of(calls: AlikeCalls) -> OtherPrices | None:
        rate = prices.rate_of(calls)
        return prices if rate is not None and rate.service_tier == ServiceTier.BATCH else None

    found = ledger_calls(rows, Cuts.of(rates, days=asked.days), group_by=GROUPED_BY)
    for place, saved in saved_by(found, prices_of):
        yield _recommended(asked, place, saved, is_named=is_named)


def _endpoints(asked: Asked) -> tuple[Collection[str], bool]:
    """Those that can wait, and whether the setting says so."""
    named = settings.batchable_endpoints
    if named is not None:
        return named, True
    usages = asked.llm_calls.filter(kind=UsageKind.USAGE).exclude(endpoint="").order_by()
    known = set(usages.values_list("endpoint", flat=True).distinct())
    return known - set(usages.filter(SOMEBODY_WAITS).values_list("endpoint", flat=True).distinct()), False


def _recommended(asked: Asked, place: Place, saved: Saved, *, is_named: bool) -> Recommendation:
    model = one_line(place[-1])
    return Recommendation(
        kind=RecommendationKind.BATCH,
        title=f"Send the calls{where(place)} to {model} in batches",
        explanation=(
            f"{counted(saved.calls, 'call')} of {model} at the standard price cost {usd_text(saved.booked)}. Their "
            f"{saved.tokens['input']:,} input and {saved.tokens['output']:,} output tokens at its batch price would "
            f"have cost {usd_text(saved.instead)}: {format_usd(saved.booked, 6)} - {format_usd(saved.instead, 6)} = "
            f"{format_usd(saved.saving, 6)}."
        ),
        condition=NAMED if is_named else GUESSED,
        confidence=Confidence.MEDIUM if is_named else Confidence.LOW,
        scope=asked.scope(place),
        calls=saved.calls,
        cost_usd=saved.booked,
        saving_usd=saved.saving,
    )
