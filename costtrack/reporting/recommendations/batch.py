"""Calls that nobody waits for, on models that have a lower price for batches."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from django.db.models import Q

from costtrack.conf import settings
from costtrack.domain.events import ServiceTier, UsageKind
from costtrack.domain.money import format_usd
from costtrack.reporting.recommendations.asked import GROUPED_BY, Asked, Model, Place, Saved, saved_by, where
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
    prices = OtherPrices(book=asked.book, service_tier=ServiceTier.BATCH)
    rates = {
        model: {
            rate
            for gateway in asked.gateways()
            for rate in asked.book.rates_for(
                provider=model[0],
                model=model[1],
                gateway=gateway,
                organization_id=asked.organization.pk,
                service_tier=ServiceTier.BATCH,
            )
        }
        for model in asked.models()
    }
    models = {model for model, own in rates.items() if any(rate.service_tier == ServiceTier.BATCH for rate in own)}
    named = settings.batchable_endpoints
    endpoints = (_endpoints(asked, models) if named is None else set(named)) if models else set()
    if not endpoints:
        return
    known = {rate for own in rates.values() for rate in own}

    def prices_of(calls: AlikeCalls) -> OtherPrices | None:
        rate = prices.rate_of(calls) if calls.service_tier == ServiceTier.STANDARD else None
        # One that is not known has thresholds that the calls were not told apart by.
        return prices if rate in known and rate.service_tier == ServiceTier.BATCH else None

    rows = asked.llm_calls.filter(endpoint__in=endpoints, model__in={model for _, model in models})
    found = ledger_calls(rows, Cuts.of(known, days=asked.days), group_by=GROUPED_BY)
    for place, saved in saved_by(found, prices_of):
        yield _recommended(asked, place, saved, is_named=named is not None)


def _endpoints(asked: Asked, models: Collection[Model]) -> set[str]:
    """Those that have calls to these models, and that nobody waits for."""
    called = {one.endpoint for one in asked.traffic if one.endpoint and (one.provider, one.model) in models}
    usages = asked.llm_calls.filter(SOMEBODY_WAITS, kind=UsageKind.USAGE, endpoint__in=called).order_by()
    return called - set(usages.values_list("endpoint", flat=True).distinct())


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
