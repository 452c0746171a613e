"""Calls with short answers on a dear model, of which the maker has a smaller and cheaper one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from django.db.models import Q

from costtrack.domain.events import UsageKind
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
_IS_SHORT = Q(output_tokens__gt=0, output_tokens__lte=SHORT_OUTPUT, reasoning_tokens=0)


def cheaper_models(asked: Asked) -> Iterator[Recommendation]:
    """One for each project, agent, endpoint and model whose short answers the next smaller model gives cheaper."""
    siblings = _Siblings(asked)
    smaller = {model: below for model in asked.models() if (below := siblings.by_any_gateway(model))}
    if not smaller:
        return
    prices = {
        sibling: OtherPrices(book=asked.book, model=sibling.model, provider=sibling.provider)
        for below in smaller.values()
        for sibling in below
    }
    rates = [rate for one in prices.values() for rate in one.rates_for_model([asked.organization.pk])]
    rows = asked.llm_calls.filter(_IS_SHORT | ~Q(kind=UsageKind.USAGE), model__in={model for _, model in smaller})
    found = ledger_calls(rows, Cuts.of(rates, days=asked.days), group_by=GROUPED_BY)
    of_model: dict[Model, PricedRate] = {}

    def prices_of(calls: AlikeCalls) -> OtherPrices | None:
        sibling = siblings.of((calls.provider, calls.model), gateway=calls.gateway)
        # One that only this gateway leads to has thresholds that the calls were not told apart by.
        if sibling is None or sibling not in prices:
            return None
        of_model.setdefault((calls.provider, calls.model), sibling)
        return prices[sibling]

    for place, saved in saved_by(found, prices_of):
        yield _recommended(asked, place, saved, of_model[place[3:]])


class _Siblings:
    """The next smaller models, each looked for once."""

    def __init__(self, asked: Asked) -> None:
        end = asked.days.end
        self._asked, self._at = asked, datetime(end.year, end.month, end.day, tzinfo=UTC)
        self._of: dict[tuple[Model, str], PricedRate | None] = {}
        self._below: dict[PricedRate, PricedRate | None] = {}

    def by_any_gateway(self, model: Model) -> set[PricedRate]:
        """Those that it may have, through whomever it is called."""
        found = {self.of(model, gateway=gateway) for gateway in self._asked.gateways()}
        return {sibling for sibling in found if sibling is not None}

    def of(self, model: Model, *, gateway: str) -> PricedRate | None:
        """The one that it has, called through that gateway."""
        if (model, gateway) not in self._of:
            self._of[model, gateway] = self._look_for(model, gateway)
        return self._of[model, gateway]

    def _look_for(self, model: Model, gateway: str) -> PricedRate | None:
        owner, book = self._asked.organization.pk, self._asked.book
        provider, name = model
        match = book.find(model=name, provider=provider, gateway=gateway, organization_id=owner, at=self._at)
        if match is None:
            return None
        if match.rate not in self._below:
            self._below[match.rate] = next_smaller(match.rate, book.rates, organization_id=owner, at=self._at)
        return self._below[match.rate]


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
