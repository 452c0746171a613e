"""OtherPrices: what calls would have cost on another model, or by another rate card."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from costtrack.domain.events import ResourceType, ServiceTier
from costtrack.domain.money import EXACT
from costtrack.pricing.cost import cost_of_amount, cost_of_calls
from costtrack.pricing.priced_rate import PricedRate
from costtrack.pricing.ratebook import RateBook
from costtrack.reporting.what_if.alike_calls import AlikeCalls

NO_MONEY = Decimal(0)


class NoPrice(StrEnum):
    """Why calls can not be priced."""

    NO_RATE = "no_rate"
    """There is no rate for them."""
    NO_PRICE_OF_A_CLASS = "no_price_of_a_class"
    """The rate has no price for some of what they used."""
    USAGE_MISSING = "usage_missing"
    """What they used is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherPrices:
    """Which rates price the calls instead."""

    book: RateBook
    model: str = ""
    """The model that they are moved to; "": each stays on its own."""
    provider: str = ""
    gateway: str = ""
    service_tier: str = ""
    """The service tier that they are moved to; "": each stays in its own."""
    at: datetime | None = None
    """The rates of this instant price all of them; None: those in force when each was made."""

    def cost_of(self, calls: AlikeCalls) -> Decimal | NoPrice:
        """What they would have cost, exactly."""
        if calls.used_nothing:
            return NO_MONEY
        rate = self.rate_of(calls)
        if rate is None:
            return NoPrice.NO_RATE
        if calls.is_usage_missing:
            return NO_MONEY if rate.is_free and rate.covers_all_usage else NoPrice.USAGE_MISSING
        if calls.resource_type == ResourceType.LLM_TOKENS:
            cost = cost_of_calls(
                calls.tokens, rate, input_tokens_of_one=calls.input_tokens_of_one, paying_calls=calls.calls
            )
        else:
            of_one = cost_of_amount(calls.amount_of_one, rate)
            cost = None if of_one is None else EXACT.multiply(of_one, Decimal(calls.calls))
        return NoPrice.NO_PRICE_OF_A_CLASS if cost is None else cost

    def rate_of(self, calls: AlikeCalls) -> PricedRate | None:
        """The rate that would price them."""
        names = (
            {"model": self.model, "provider": self.provider, "gateway": self.gateway}
            if self.model
            else {"model": calls.model, "provider": calls.provider, "gateway": calls.gateway}
        )
        match = self.book.find(
            **names,
            organization_id=calls.organization_id,
            resource_type=calls.resource_type,
            service_tier=self.service_tier or calls.service_tier,
            at=self.at or calls.at,
        )
        return match.rate if match else None

    def rates_for_model(self, organization_ids: Iterable[int]) -> tuple[PricedRate, ...]:
        """Every rate that may price calls that are moved to the model, of any service tier."""
        tiers = (self.service_tier,) if self.service_tier else tuple(ServiceTier)
        found = [
            rate
            for organization_id in organization_ids
            for tier in tiers
            for rate in self.book.rates_for(
                model=self.model,
                provider=self.provider,
                gateway=self.gateway,
                organization_id=organization_id,
                service_tier=tier,
            )
        ]
        return tuple(dict.fromkeys(found))
