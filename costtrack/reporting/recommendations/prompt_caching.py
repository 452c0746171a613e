"""Long prompts that come again and again from one place, uncached, to a model that has a price for cached input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db import connections
from django.db.models import Count, F, IntegerField, Min, Q, QuerySet, Sum
from django.db.models.functions import (
    Cast,
    Extract,
    ExtractDay,
    ExtractHour,
    ExtractMinute,
    ExtractMonth,
    ExtractYear,
)

from costtrack.domain.events import Outcome, ServiceTier, UsageKind
from costtrack.domain.money import EXACT, format_usd, plain
from costtrack.models import ResourceUsage
from costtrack.pricing.priced_rate import PICO_PLACES, PricedRate
from costtrack.reporting.figures import money_reader
from costtrack.reporting.recommendations.asked import (
    GROUPED_BY,
    LEAST_CALLS,
    LEAST_SAVING,
    NOTHING,
    Asked,
    Place,
    where,
)
from costtrack.reporting.recommendations.recommendation import Confidence, Recommendation, RecommendationKind
from costtrack.reporting.what_if.cuts import Cuts
from costtrack.reporting.wording import counted, one_line, usd_text

LEAST_PROMPT = 2048
"""Tokens. Half of it is 1,024, the least that OpenAI and Anthropic cache (their pages on prompt caching, 2026-11)."""
CACHE_MINUTES = 5
"""How long a cached prompt lives at least; each such slot of time pays for writing it once."""
COLUMNS = ("provider", "gateway", "model", "service_tier")


def _number(part: type[Extract]) -> Cast:
    return Cast(part("occurred_at", tzinfo=UTC), IntegerField())


_DAY = (_number(ExtractYear) * 12 + _number(ExtractMonth)) * 31 + _number(ExtractDay)
_SLOT = ((_DAY * 24 + _number(ExtractHour)) * 60 + _number(ExtractMinute)) / CACHE_MINUTES
"""Which of the slots of time a call is in."""


@dataclass(slots=True)
class _Repeated:
    """The prompts of one place."""

    calls: int = 0
    tokens: int = 0
    booked: Decimal = NOTHING
    smallest: int = 0
    slots: int = 0
    picos: int = 0
    """What is saved for each token that is the same: in each slot one call writes it, all others read it."""

    def add(self, row: dict[str, Any], rate: PricedRate) -> None:
        """Calls of one price."""
        plain_price, read_price, write_price = _band(rate, row["least_input"])
        calls, slots = row["found_calls"], row["found_slots"]
        self.slots += slots
        self.picos += (calls - slots) * (plain_price - read_price) - slots * (write_price - plain_price)
        self.calls += calls
        self.tokens += row["input"]
        self.booked = EXACT.add(self.booked, row["booked"])
        self.smallest = min(self.smallest or row["least_input"], row["least_input"])

    @property
    def prefix(self) -> int:
        """The tokens that are taken to be the same in all: half of the smallest prompt."""
        return self.smallest // 2

    @property
    def saving(self) -> Decimal:
        """In US dollars."""
        return plain(EXACT.scaleb(Decimal(self.prefix * self.picos), -PICO_PLACES))


def uncached_prompts(asked: Asked) -> Iterator[Recommendation]:
    """One for each project, agent, endpoint and model whose prompts are long and never cached."""
    rates = {model: found for provider, model in asked.models() if (found := _cached_rates(asked, provider, model))}
    if not rates:
        return
    cuts = replace(Cuts.of(set().union(*rates.values()), days=asked.days), by_classes=False)
    places: dict[Place, _Repeated] = {}
    for row in _priced_alike(asked.llm_calls.filter(model__in=rates), cuts):
        place = _place(row)
        if not any(place[1:3]):
            continue  # of no agent and no endpoint: nothing says that these calls have anything in common
        rate = _rate(asked, row)
        if rate is not None and rate.prices.cache_read_usd_per_million is not None:
            plain_price, read_price, _ = _band(rate, row["least_input"])
            if read_price < plain_price:
                places.setdefault(place, _Repeated()).add(row, rate)
    for place, repeated in places.items():
        if repeated.calls >= LEAST_CALLS and repeated.saving >= LEAST_SAVING:
            yield _recommended(asked, place, repeated)


def _cached_rates(asked: Asked, provider: str, model: str) -> set[PricedRate]:
    """All rates that it may have, if one of them has a price for cached input."""
    found = {
        rate
        for gateway in asked.gateways()
        for tier in ServiceTier
        for rate in asked.book.rates_for(
            model=model,
            provider=provider,
            gateway=gateway,
            organization_id=asked.organization.pk,
            service_tier=tier,
        )
    }
    return found if any(rate.prices.cache_read_usd_per_million is not None for rate in found) else set()


def _priced_alike(rows: QuerySet[ResourceUsage], cuts: Cuts) -> Iterator[dict[str, Any]]:
    """The long prompts without caching, by place and price, with the number of slots of time that they are in.

    Calls with corrections are left out. A slot that a price changes in is counted for either price.
    """
    corrected = rows.filter(corrects_id__isnull=False).values("corrects_id")
    never_cached = Q(cache_read_tokens=0, cache_write_tokens=0, cache_write_1h_tokens=0)
    long = rows.filter(never_cached, kind=UsageKind.USAGE, outcome=Outcome.SUCCESS, input_tokens__gte=LEAST_PROMPT)
    names = {f"by_{name}": F(column) for name, column in GROUPED_BY.items()}
    found = (
        long.exclude(id__in=corrected)
        .filter(cost_usd__isnull=False)
        .annotate(**cuts.annotations(), slot=_SLOT)
        .order_by()
        .values(*COLUMNS, **names, **cuts.parts())
        .annotate(
            found_calls=Count("id"),
            found_slots=Count("slot", distinct=True),
            least_input=Min("input_tokens"),
            input=Sum("input_tokens"),
            first_at=Min("occurred_at"),
            booked=Sum("cost_usd"),
        )
    )
    money = money_reader(connections[rows.db].vendor)
    for row in found.iterator(chunk_size=1000):
        yield {**row, "booked": money(row["booked"])}


def _place(row: dict[str, Any]) -> Place:
    project, agent, endpoint = (str(row[f"by_{name}"] or "") for name in GROUPED_BY)
    return project, agent, endpoint, row["provider"], row["model"]


def _rate(asked: Asked, row: dict[str, Any]) -> PricedRate | None:
    at: datetime = row["first_at"]
    names = {name: row[name] for name in COLUMNS}
    match = asked.book.find(**names, organization_id=asked.organization.pk, at=at)
    return match.rate if match else None


def _band(rate: PricedRate, input_tokens: int) -> tuple[int, int, int]:
    """Picodollars per token of plain input, read from a cache and written to it, in a request of that size."""
    band = next(band for band in rate.bands if input_tokens > band.above)
    plain_price, read_price, write_price, *_ = band.input_picos
    return plain_price, read_price, write_price


def _recommended(asked: Asked, place: Place, repeated: _Repeated) -> Recommendation:
    model, slots = one_line(place[-1]), repeated.slots
    return Recommendation(
        kind=RecommendationKind.PROMPT_CACHING,
        title=f"Cache the prompts{where(place)} to {model}",
        explanation=(
            f"{counted(repeated.calls, 'call')} sent {repeated.tokens:,} input tokens, none of them from a cache, in "
            f"{counted(slots, 'slot')} of {CACHE_MINUTES} minutes; the smallest prompt had {repeated.smallest:,}. If "
            f"{repeated.prefix:,} of them are the same in all calls, in each slot one call writes them to the cache "
            f"and the others, {repeated.calls - slots:,} in all, read them: {format_usd(repeated.saving, 6)} less, of "
            f"{usd_text(repeated.booked)}."
        ),
        condition=(
            "The ledger has no texts: that half of the smallest prompt is the same in all calls, and stands at their "
            "beginning, is an assumption. Put what stays the same first."
        ),
        confidence=Confidence.LOW,
        scope=asked.scope(place),
        calls=repeated.calls,
        cost_usd=plain(repeated.booked),
        saving_usd=repeated.saving,
    )
