"""How the cost of a ledger row came about: tokens x price of each class, units x price, a price per call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from costtrack.conf import settings
from costtrack.domain.events import CostSource, Outcome, ResourceType, UsageKind
from costtrack.domain.money import EXACT
from costtrack.domain.tokens import TOKEN_FIELDS, TokenUsage
from costtrack.models import ResourceUsage
from costtrack.pricing.cost import CostLine, cost_of_amount, cost_of_tokens
from costtrack.pricing.priced_rate import PricedRate
from costtrack.pricing.stored_rates import stored_rates

NOT_READ: Mapping[int | None, PricedRate] = MappingProxyType({})


class NoArithmetic(TextChoices):
    """Why a row's cost is no sum of tokens or units x price; the label says it in words."""

    CORRECTION = "correction", _("A correction: it adds this cost to that of the row which it corrects.")
    REPORTED = "reported", _("The provider reported this cost.")
    UNPRICED = "unpriced", _("No price was known. Once one is, an adjustment brings the cost.")
    UNKNOWN_USAGE = "unknown_usage", _("What was used is not known; at its rate any use is free.")
    NO_TOKENS = "no_tokens", _("0 tokens were used.")
    NOTHING_USED = "nothing_used", _("Nothing was used.")
    NO_RATE = "no_rate", _("No rate was needed.")
    NO_PRICE = "no_price", _("The rate has no price for this.")


class UnitLine(NamedTuple):
    """The units of a resource other than tokens."""

    resource_type: str
    amount: Decimal
    unit_price_usd: Decimal
    cost_usd: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class CostArithmetic:
    """What adds up to a row's cost: all lines, the units, the price of the call."""

    rate: PricedRate
    """The one that priced the row."""
    lines: tuple[CostLine, ...] = ()
    """One for each class of tokens that was used."""
    above_input_tokens: int | None = None
    """The threshold of the tier whose prices held; None: the rate's own did."""
    units: UnitLine | None = None
    request_usd: Decimal | None = None
    """What the call itself cost, on top; None: nothing."""
    total_usd: Decimal


def cost_arithmetic(
    usage: ResourceUsage, *, rates: Mapping[int | None, PricedRate] = NOT_READ
) -> CostArithmetic | NoArithmetic:
    """How the row's `cost_usd` came about, or why it did otherwise (at most two queries, none if `rates` has its)."""
    if reason := _reason(usage):
        return reason
    if usage.rate_id is None:
        return NoArithmetic.NO_RATE
    rate = rates.get(usage.rate_id)
    if rate is None:
        rate = next(stored_rates(using=usage._state.db or settings.database, id=usage.rate_id))
    return _of_tokens(_tokens(usage), rate) if _is_llm(usage) else _of_units(usage, rate)


def rates_of(usages: Iterable[ResourceUsage]) -> Mapping[int | None, PricedRate]:
    """By id the rates that priced these rows, for `cost_arithmetic` of all of them (two queries)."""
    ids = {usage.rate_id for usage in usages} - {None}
    return {rate.id: rate for rate in stored_rates(using=settings.database, id__in=ids)} if ids else NOT_READ


def _reason(usage: ResourceUsage) -> NoArithmetic | None:
    """Why no price was multiplied, whatever the rate."""
    if usage.kind != UsageKind.USAGE:
        return NoArithmetic.CORRECTION
    if usage.cost_source == CostSource.REPORTED:
        return NoArithmetic.REPORTED
    if usage.cost_source == CostSource.UNPRICED:
        return NoArithmetic.UNPRICED
    if usage.usage_missing:
        return NoArithmetic.UNKNOWN_USAGE
    if usage.outcome == Outcome.ERROR and not _tokens(usage).total_tokens and not usage.amount:
        return NoArithmetic.NO_TOKENS if _is_llm(usage) else NoArithmetic.NOTHING_USED
    return None


def _of_tokens(tokens: TokenUsage, rate: PricedRate) -> CostArithmetic | NoArithmetic:
    by_class = cost_of_tokens(tokens, rate)
    if by_class is None:
        return NoArithmetic.NO_PRICE
    if not by_class.lines and not rate.request_usd:
        return NoArithmetic.NO_TOKENS
    above = by_class.band.above
    return CostArithmetic(
        rate=rate,
        lines=by_class.lines,
        above_input_tokens=above if above >= 0 else None,
        request_usd=rate.request_usd or None,
        total_usd=by_class.total_usd,
    )


def _of_units(usage: ResourceUsage, rate: PricedRate) -> CostArithmetic | NoArithmetic:
    total = cost_of_amount(usage.amount, rate)
    if total is None:
        return NoArithmetic.NO_PRICE
    units = None
    if rate.unit_price_usd is not None:
        of_units = EXACT.subtract(total, rate.request_usd or Decimal(0))
        units = UnitLine(usage.resource_type, usage.amount, rate.unit_price_usd, of_units)
    return CostArithmetic(rate=rate, units=units, request_usd=rate.request_usd or None, total_usd=total)


def _tokens(usage: ResourceUsage) -> TokenUsage:
    return TokenUsage(**{name: getattr(usage, name) for name in TOKEN_FIELDS})


def _is_llm(usage: ResourceUsage) -> bool:
    is_llm: bool = usage.resource_type == ResourceType.LLM_TOKENS
    return is_llm
