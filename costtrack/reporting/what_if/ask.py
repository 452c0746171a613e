"""`what_if`: what the usage of a period would have cost on another model, or by another rate card."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime

from costtrack.conf import settings
from costtrack.domain.events import ResourceType
from costtrack.domain.periods import DayRange
from costtrack.exceptions import RateNotFound
from costtrack.models import Organization
from costtrack.pricing.ratebook import current_ratebook
from costtrack.reporting.named import organization_named
from costtrack.reporting.parameters import InvalidParameter, parse_text
from costtrack.reporting.what_if.alike_calls import AlikeCalls
from costtrack.reporting.what_if.comparison import ReadFrom, WhatIf, compare
from costtrack.reporting.what_if.cuts import Cuts
from costtrack.reporting.what_if.ledger_calls import ledger_calls
from costtrack.reporting.what_if.other_prices import OtherPrices
from costtrack.reporting.what_if.rate_cards import RateCard, rate_card
from costtrack.reporting.what_if.scope import ScopedUsage, scoped_usage
from costtrack.reporting.what_if.summed_calls import NotTold, check_rates, summed_calls

CARD = "each call is priced by its own gateway and service tier, which summaries do not have"
SCOPE = "summaries do not have what the scope names"


def what_if(
    *,
    start: date,
    end: date,
    model: str = "",
    provider: str = "",
    gateway: str = "",
    rates: RateCard | None = None,
    organization: Organization | str | None = None,
    scope: Mapping[str, str] | None = None,
    at: datetime | None = None,
) -> WhatIf:
    """What the usage of the local days `[start, end)` would have cost, by model: booked, instead, and the difference.

    With `model` (and its `provider` and `gateway`, where the id does not say them) all LLM calls are moved to that
    model, by the rates in force when each was made, or by those of the instant `at`. Else each call stays on its own
    model: with `rates` it is priced by that rate card, a rate file's path, its rows, or prices by model; without, by
    the rates that are known now. A `model` with `rates` has its prices from the card. A call keeps its service tier.
    `organization` is one, or a slug; None is all. `scope` narrows it: `{"project": "website", "agent": "writer",
    "model": "gpt-4o", "endpoint": "chat"}`.

    Costs are exact. Calls that can not be priced are counted and listed, never taken for 0; the difference is of those
    that have a cost on both sides. Where only sums of tokens matter the daily summaries are read, else the ledger;
    the answer says which and why. Nothing is changed. Raises InvalidParameter, RateFileError for a bad rate card,
    RateNotFound where the other model has no price at all, UnknownOrganization.
    """
    owners = None if organization is None else [organization_named(organization)]
    days = _days(start, end)
    usage = scoped_usage(days, scope or {}, organizations=owners)
    return what_if_of(usage, days=days, prices=other_prices(model, provider, gateway, rates=rates, at=at))


def other_prices(
    model: str, provider: str = "", gateway: str = "", *, rates: RateCard | None = None, at: datetime | None = None
) -> OtherPrices:
    """The prices that are asked for, checked; raises as `what_if` does."""
    for name, value in (("model", model), ("provider", provider), ("gateway", gateway)):
        if value:
            parse_text(name, value)
    if (provider or gateway) and not model:
        raise InvalidParameter("provider" if provider else "gateway", provider or gateway, "a model with it")
    if at is not None and (not isinstance(at, datetime) or at.tzinfo is None):
        raise InvalidParameter("at", at, "an instant with its offset")
    book = current_ratebook(using=settings.database) if rates is None else rate_card(rates)
    return OtherPrices(book=book, model=model, provider=provider, gateway=gateway, at=at)


def what_if_of(usage: ScopedUsage, *, days: DayRange, prices: OtherPrices) -> WhatIf:
    """The answer about the usage that is given."""
    found, read_because = _calls(usage, days=days, prices=prices)
    compared = compare(found, prices)
    return WhatIf(
        days=days,
        model=prices.model,
        provider=prices.provider,
        priced_at=prices.at,
        read_from=ReadFrom.LEDGER if read_because else ReadFrom.SUMMARIES,
        read_because=read_because,
        total=compared.total,
        models=compared.models,
        not_priced=compared.not_priced,
    )


def _calls(usage: ScopedUsage, *, days: DayRange, prices: OtherPrices) -> tuple[Iterable[AlikeCalls], str]:
    """The calls, and why the ledger is read for them; "" if it is not."""
    dated = days if prices.at is None else None
    if not prices.model:
        return ledger_calls(usage.ledger, Cuts.of(prices.book.rates, days=dated)), CARD
    rates = prices.rates_for_model(usage.organization_ids())
    if not any(not rate.is_withdrawn for rate in rates):
        raise RateNotFound(prices.model, prices.provider)
    cuts = Cuts.of(rates, days=dated)
    try:
        if usage.summaries is None:
            raise NotTold(SCOPE)
        check_rates(rates, cuts)
        summaries = usage.summaries.filter(resource_type=ResourceType.LLM_TOKENS)
        return summed_calls(summaries, booked_by=current_ratebook(using=settings.database), days=days), ""
    except NotTold as why:
        return ledger_calls(usage.ledger.filter(resource_type=ResourceType.LLM_TOKENS), cuts), str(why)


def _days(start: date, end: date) -> DayRange:
    for name, day in (("start", start), ("end", end)):
        if not isinstance(day, date) or isinstance(day, datetime):
            raise InvalidParameter(name, day, "a date")
    if end <= start:
        raise InvalidParameter("end", end.isoformat(), f"a day after start ({start})")
    return DayRange(start, end)
