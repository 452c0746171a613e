"""Calls with short answers on a dear model, of which the maker has a smaller and cheaper one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from django.db.models import Case, Q, Value, When

from costtrack.domain.money import format_usd
from costtrack.pricing.priced_rate import PricedRate
from costtrack.reporting.recommendations.asked import GROUPED_BY, Asked, Model, Place, Saved, saved_by, where
from costtrack.reporting.recommendations.recommendation import Confidence, Recommendation, RecommendationKind
from costtrack.reporting.recommendations.siblings import next_smaller
from costtrack.reporting.what_if.alike_calls import AlikeCalls
from costtrack.reporting.what_if.cuts import Cuts
from costtrack.reporting.what_if.ledger_calls import ledger_calls
from costtrack.reporting.what_if.other_prices import OtherPrices
from costtrack.reporting.wording import counted, one_line, usd_text

SHORT_OUTPUT = 200
"""Tokens. A call that answers more is taken to need its model; one that answers nothing is an embedding."""
_IS_SHORT = Case(
    When(Q(output_tokens__gt=0, output_tokens__lte=SHORT_OUTPUT, reasoning_tokens=0), then=Value(1)), default=Value(0)
)


def cheaper_models(asked: Asked) -> Iterator[Recommendation]:
    """One for each project, agent, endpoint and model whose short answers the next smaller model gives cheaper."""
    siblings = {model: sibling for model in asked.models() if (sibling := _sibling(asked, model)) is not None}
    if not siblings:
        return
    prices = {
        model: OtherPrices(book=asked.book, model=sibling.model, provider=sibling.provider)
        for model, sibling in siblings.items()
    }
    rates = [rate for one in prices.values() for rate in one.rates_for_model([asked.organization.pk])]
    rows = asked.llm_calls.filter(model__in={model for _, _, model in siblings})
    found = ledger_calls(rows, Cuts.of(rates, days=asked.days), group_by={**GROUPED_BY, "is_short": _IS_SHORT})

    def prices_of(calls: AlikeCalls) -> OtherPrices | None:
        return prices.get((calls.provider, calls.gateway, calls.model)) if calls.names[-1] else None

    by_place = {(provider, model): sibling for (provider, _, model), sibling in siblings.items()}
    for place, saved in saved_by(found, prices_of):
        yield _recommended(asked, place, saved, by_place[place[3:]])


def _sibling(asked: Asked, model: Model) -> PricedRate | None:
    provider, gateway, name = model
    end = asked.days.end
    at = datetime(end.year, end.month, end.day, tzinfo=UTC)
    owner = asked.organization.pk
    match = asked.book.find(model=name, provider=provider, gateway=gateway, organization_id=owner, at=at)
    return next_smaller(match.rate, asked.book.rates, organization_id=owner, at=at) if match else None


def _recommended(asked: Asked, place: Place, saved: Saved, sibling: PricedRate) -> Recommendation:
    model = one_line(place[-1])
    return Recommendation(
        kind=RecommendationKind.CHEAPER_MODEL,
        title=f"Try {one_line(sibling.model)} for the short answers{where(place)}, which {model} gives",
        explanation=(
            f"{counted(saved.calls, 'call')} of {model} answered with at most {SHORT_OUTPUT} tokens and cost "
            f"{usd_text(saved.booked)}. Their {saved.tokens['input']:,} input and {saved.tokens['output']:,} output "
            f"tokens at the prices of {one_line(sibling.model)} would have cost {usd_text(saved.instead)}: "
            f"{format_usd(saved.booked, 6)} - {format_usd(saved.instead, 6)} = {format_usd(saved.saving, 6)}."
        ),
        condition=(
            f"If {one_line(sibling.model)} answers them as well, in as many tokens. By its name it is the next smaller "
            "model of the same family; try it on samples first."
        ),
        confidence=Confidence.MEDIUM,
        scope=asked.scope(place, target_model=sibling.model),
        calls=saved.calls,
        cost_usd=saved.booked,
        saving_usd=saved.saving,
    )
