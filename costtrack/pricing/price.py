"""The price of a metered event: a reported cost, else a rate, else unpriced."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from costtrack.domain.events import CostSource, Outcome, ResourceType, UsageEvent
from costtrack.pricing.canonical import ModelRef, canonical_model, canonical_tier
from costtrack.pricing.cost import cost_of_amount, cost_of_tokens
from costtrack.pricing.priced_rate import PricedRate
from costtrack.pricing.providers import rate_provider
from costtrack.pricing.ratebook import RateBook


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """What an event costs, and what it used under the names that are stored."""

    cost_usd: Decimal | None
    """None exactly when `cost_source` is unpriced."""
    cost_source: CostSource
    rate_id: int | None
    """The rate that set the cost; None where the provider reported it or nothing did."""
    provider: str
    gateway: str
    model: str
    service_tier: str


def price_event(event: UsageEvent, *, organization_id: int, book: RateBook) -> Priced:
    """Price `event` with the rates in force when it occurred.

    A reported cost wins over a rate. A failed call that used nothing costs 0, whether or not there is a rate. Usage
    that is missing from the response is unpriced, unless the model is free whatever it used. A rate of 0
    makes free only what it has prices for.
    """
    ref = canonical_model(event.model, event.provider, event.gateway)
    match = book.find(
        model=event.model,
        provider=event.provider,
        gateway=event.gateway,
        organization_id=organization_id,
        resource_type=event.resource_type,
        service_tier=event.service_tier,
        at=event.occurred_at,
    )
    rate = match.rate if match else None
    cost, source, by_rate = _cost(event, rate)
    return Priced(
        cost_usd=cost,
        cost_source=source,
        rate_id=rate.id if rate is not None and by_rate else None,
        provider=ref.provider or _vendor(ref) or (rate_provider(rate.provider) if rate is not None else ""),
        gateway=ref.gateway,
        model=ref.model,
        service_tier=canonical_tier(event.service_tier),
    )


def _vendor(ref: ModelRef) -> str:
    """The maker that a gateway's id names before the slash: `qwen` of `qwen/qwen3-32b` at OpenRouter."""
    vendor, slash, _ = ref.model.partition("/")
    return vendor if ref.gateway and slash else ""


_ZERO = Decimal(0)


def _cost(event: UsageEvent, rate: PricedRate | None) -> tuple[Decimal | None, CostSource, bool]:
    """The cost, its source, and whether the rate set it."""
    if event.reported_cost_usd is not None:
        return event.reported_cost_usd, CostSource.REPORTED, False
    if (
        event.outcome == Outcome.ERROR
        and not event.usage_missing
        and not event.amount
        and not event.tokens.total_tokens
    ):
        # Nothing used costs 0 at any price; only a rate of 0 makes it free.
        return _ZERO, CostSource.FREE if rate is not None and rate.is_free else CostSource.ESTIMATED, rate is not None
    if rate is None:
        return None, CostSource.UNPRICED, False
    if event.usage_missing:
        is_free = rate.is_free and rate.covers_all_usage
        return (_ZERO, CostSource.FREE, True) if is_free else (None, CostSource.UNPRICED, False)
    if event.resource_type == ResourceType.LLM_TOKENS:
        breakdown = cost_of_tokens(event.tokens, rate)
        cost = None if breakdown is None else breakdown.total_usd
    else:
        cost = cost_of_amount(event.amount, rate)
    if cost is None:
        return None, CostSource.UNPRICED, False
    return cost, CostSource.FREE if rate.is_free else CostSource.ESTIMATED, True
