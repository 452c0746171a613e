"""The worst case of a call that is about to be made: the most that it can use and cost, for budgets to hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from costtrack.conf import settings
from costtrack.domain.budget_rules import Quantities
from costtrack.domain.events import ResourceType, UsageEvent
from costtrack.domain.tokens import MAX_TOKENS, TokenUsage
from costtrack.metering.attribution import GivenAttribution
from costtrack.metering.cleaning import text_of
from costtrack.metering.events import event_after_call
from costtrack.metering.expected import Expected
from costtrack.metering.given_fields import EventFields
from costtrack.metering.token_counting import count_tokens
from costtrack.pricing.price import Priced, price_event
from costtrack.pricing.ratebook import RateBook

CALL_FIELDS = ("resource_type", "provider", "model", "gateway", "service_tier")
"""Of what is known before a call: that which says how much it may cost."""


class WorstCase(NamedTuple):
    """The most that a call can use."""

    event: UsageEvent
    """As if it had used that."""
    priced: Priced
    """The event's price; `quantities` has the dearest one."""
    quantities: Quantities
    unknown_because: str
    """Why some of the quantities are not known; "" if all are."""


def worst_case(
    fields: EventFields,
    expected: Expected,
    attribution: GivenAttribution,
    *,
    at: datetime,
    organization_id: int,
    book: RateBook,
) -> WorstCase:
    """What the call of these fields can use at most, priced as the ledger would price it at `at`.

    Of an LLM call that is its input, with nothing read from a cache, and the most output there can be; tiers and
    service tier are the rate's. Text only: of audio give the tokens and the rate's own price of it is not taken. Other
    resources have their `amount`, a call of an API is 1. Where a figure is not known, neither is the cost, unless all
    is free.
    """
    said: EventFields = {name: fields[name] for name in CALL_FIELDS if name in fields}  # type: ignore
    is_llm = said.get("resource_type", ResourceType.LLM_TOKENS) == ResourceType.LLM_TOKENS
    if is_llm:
        tokens, unknown = _most_tokens(text_of("model", said.get("model")), expected)
        said["tokens"] = tokens
    else:
        tokens, unknown = TokenUsage(), ""
        said["amount"] = fields.get("amount")
        if said["amount"] is None and said["resource_type"] != ResourceType.API_CALL:
            unknown = f"how many {text_of('resource_type', said['resource_type'])} it may use is not known; give amount"
    said["reported_cost_usd"] = expected.max_cost_usd
    event = event_after_call({**said, "occurred_at": at}, attribution, now=at)
    priced = price_event(event, organization_id=organization_id, book=book)
    cost = priced.cost_usd
    if is_llm and tokens is not None and cost is not None:
        cost = _dearest(event, cost, expected, organization_id=organization_id, book=book)
    quantities = Quantities(
        cost_usd=cost,
        tokens=None if tokens is None else tokens.total_tokens,
        amount=None if unknown else event.amount,
    )
    if cost is None and not unknown:
        unknown = _no_price(priced)
    return WorstCase(event, priced, quantities, unknown)


def _most_tokens(model: str, expected: Expected) -> tuple[TokenUsage | None, str]:
    """The most input and output, or why that is not known."""
    output_tokens = expected.max_output_tokens
    if output_tokens is None:
        output_tokens = settings.max_output_tokens
    if output_tokens is None:
        return None, "its most output tokens are not known; give max_output_tokens, or set MAX_OUTPUT_TOKENS"
    input_tokens = expected.input_tokens
    if input_tokens is None:
        input_tokens = count_tokens(model, expected.inputs)
    if input_tokens is None:
        return None, "its input tokens are not known; give input_tokens, or input with text"
    return TokenUsage(input_tokens=min(input_tokens, MAX_TOKENS), output_tokens=output_tokens), ""


def _dearest(event: UsageEvent, cost: Decimal, expected: Expected, *, organization_id: int, book: RateBook) -> Decimal:
    """The highest price of the same numbers of tokens: all output may be reasoning, all input written to a cache."""
    ins, outs = event.tokens.input_tokens, event.tokens.output_tokens
    inputs = [{}, {"cache_write_tokens": ins}, {"cache_write_1h_tokens": ins}] if expected.writes_cache else [{}]
    for part in inputs:
        for reasoning_tokens in (0, outs):
            tokens = TokenUsage(input_tokens=ins, output_tokens=outs, reasoning_tokens=reasoning_tokens, **part)
            priced = price_event(replace(event, tokens=tokens), organization_id=organization_id, book=book)
            cost = max(cost, priced.cost_usd or cost)
    return cost


def _no_price(priced: Priced) -> str:
    of_provider = f" of {priced.provider!r}" if priced.provider else ""
    return f"no price is known for {priced.model!r}{of_provider}" if priced.model else "its model is not named"
