"""Asked: whose usage recommendations are about, and of which days; and what several kinds of them share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from django.db.models import QuerySet

from costtrack.domain.events import ResourceType
from costtrack.domain.money import EXACT, plain
from costtrack.domain.periods import DayRange
from costtrack.models import Agent, Organization, Project, ResourceUsage
from costtrack.pricing.providers import known_gateway, known_provider
from costtrack.pricing.ratebook import RateBook
from costtrack.reporting.costs import summaries_of
from costtrack.reporting.figures import Figures, read_figures, summary_sums
from costtrack.reporting.what_if.alike_calls import AlikeCalls
from costtrack.reporting.what_if.other_prices import NoPrice, OtherPrices
from costtrack.reporting.wording import one_line

GROUPED_BY: Mapping[str, str] = {"project": "project__slug", "agent": "agent__slug", "endpoint": "endpoint"}
"""Who has to change something."""
LEAST_CALLS = 20
"""Fewer calls are no habit."""
LEAST_SAVING = Decimal("0.01")
"""Less is not worth anybody's time."""
NOTHING = Decimal(0)

Model = tuple[str, str]
"""(provider, model) as booked."""
Place = tuple[str, str, str, str, str]
"""(project, agent, endpoint, provider, model), "" where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What the summaries tell of the calls of one endpoint to one model: are they worth a look at the ledger?"""

    endpoint: str
    provider: str
    model: str
    resource_type: str
    figures: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question."""

    organization: Organization
    owner: Project | Agent | None
    days: DayRange
    now: datetime
    ledger: QuerySet[ResourceUsage]
    """The rows of all that."""
    traffic: Sequence[Traffic]
    """The sums of all that."""
    book: RateBook

    @property
    def llm_calls(self) -> QuerySet[ResourceUsage]:
        """Those of LLM calls, with their corrections."""
        return self.ledger.filter(resource_type=ResourceType.LLM_TOKENS)

    def models(self) -> list[Model]:
        """The models of LLM calls, as far as enough is booked for them to save something."""
        sums: dict[Model, tuple[int, Decimal]] = {}
        for one in self.traffic:
            if one.resource_type == ResourceType.LLM_TOKENS:
                calls, cost = sums.get((one.provider, one.model), (0, NOTHING))
                cost = EXACT.add(cost, one.figures.cost_usd)
                sums[one.provider, one.model] = calls + one.figures.calls, cost
        return [model for model, (calls, cost) in sums.items() if calls >= LEAST_CALLS and cost >= LEAST_SAVING]

    def gateways(self) -> tuple[str, ...]:
        """Through whom calls may go so that other rates hold: who has rates and is no maker, and nobody."""
        sellers = {rate.provider for rate in self.book.rates}
        return ("", *sorted(one for one in sellers if one and (known_gateway(one) or not known_provider(one))))

    def scope(self, place: Place, **more: str) -> dict[str, str]:
        """What a recommendation is about, without what has no name."""
        names = dict(zip((*GROUPED_BY, "provider", "model"), place, strict=True))
        given = {"organization": self.organization.slug, **names, **more}
        return {name: value for name, value in given.items() if value}


def traffic_of(organization: Organization, days: DayRange, *, owner: Project | Agent | None) -> tuple[Traffic, ...]:
    """By endpoint and model (one query, to the summaries)."""
    names = ("endpoint", "provider", "model", "resource_type")
    rows = summaries_of(days, by=names, organizations=[organization], owner=owner)
    sums = rows.values(*names).annotate(**summary_sums()).order_by()
    return tuple(
        Traffic(**{name: row[name] for name in names}, figures=read_figures(row, using=rows.db)) for row in sums
    )


@dataclass(slots=True)
class Saved:
    """What the calls of one place would save; each call is added once."""

    calls: int = 0
    booked: Decimal = NOTHING
    instead: Decimal = NOTHING
    tokens: dict[str, int] = field(default_factory=lambda: {"input": 0, "output": 0})

    def add(self, calls: AlikeCalls, cost: Decimal) -> None:
        """These would have cost that."""
        self.calls += calls.calls
        self.booked = EXACT.add(self.booked, calls.booked_usd)
        self.instead = EXACT.add(self.instead, cost)
        self.tokens["input"] += calls.tokens.input_tokens
        self.tokens["output"] += calls.tokens.output_tokens

    @property
    def saving(self) -> Decimal:
        """Booked minus instead."""
        return plain(EXACT.subtract(self.booked, self.instead))

    @property
    def is_worth_it(self) -> bool:
        """Enough calls, and enough money."""
        return self.calls >= LEAST_CALLS and self.saving >= LEAST_SAVING


def saved_by(
    found: Iterable[AlikeCalls], prices_of: Callable[[AlikeCalls], OtherPrices | None]
) -> Iterator[tuple[Place, Saved]]:
    """By place what the calls would save by other prices, where it is worth it.

    Calls without a cost so far, and those that the other prices do not price, are left out.
    """
    places: dict[Place, Saved] = {}
    for calls in found:
        prices = None if calls.is_unpriced or calls.used_nothing else prices_of(calls)
        cost = NoPrice.NO_RATE if prices is None else prices.cost_of(calls)
        if not isinstance(cost, NoPrice):
            places.setdefault(place_of(calls), Saved()).add(calls, cost)
    return ((place, saved) for place, saved in places.items() if saved.is_worth_it)


def place_of(calls: AlikeCalls) -> Place:
    """Where calls that are grouped by GROUPED_BY first belong."""
    project, agent, endpoint = (str(name or "") for name in calls.names[: len(GROUPED_BY)])
    return project, agent, endpoint, calls.provider, calls.model


def where(place: Place) -> str:
    """The place in words, for titles: ` of endpoint chat`; "" where there is no name."""
    project, agent, endpoint, _, _ = place
    for kind, name in (("endpoint", endpoint), ("agent", agent), ("project", project)):
        if name:
            return f" of {kind} {one_line(name)}"
    return ""
