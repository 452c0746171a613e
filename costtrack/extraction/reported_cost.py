"""The cost that a provider says it charged: OpenRouter, xAI, Perplexity."""

from __future__ import annotations

from decimal import Decimal

from costtrack.domain.money import EXACT, parse_decimal, parse_usd
from costtrack.exceptions import InvalidUsage
from costtrack.extraction.fields import read, read_text

COSTS = frozenset(("cost", "cost_in_usd_ticks"))
"""Where in a usage it stands."""
_USD_PER_TICK = Decimal("1e-10")
"""docs.x.ai, cost tracking, read 2026-11."""


def is_openrouter(body: object, usage: object) -> bool:
    """Whether the body is OpenRouter's: `is_byok` or `cost_details` in its usage, or its ids and its `provider`."""
    if read(usage, "cost") is None:
        return False
    if read(usage, "is_byok") is not None or read(usage, "cost_details") is not None:
        return True
    return read_text(body, "id").startswith("gen-") and read_text(body, "provider") != ""


def reported_cost_of(response: object, body: object, usage: object, *, provider: str) -> tuple[Decimal | None, str]:
    """What this call was charged in US dollars, or None; and a problem, or "".

    A bare `usage.cost` counts only from OpenRouter: elsewhere its currency is not known, and LiteLLM puts its own
    estimate there and into `_hidden_params`.
    """
    try:
        ticks = read(usage, "cost_in_usd_ticks")
        if ticks is not None:
            return parse_usd("cost_in_usd_ticks", EXACT.multiply(parse_decimal("ticks", ticks), _USD_PER_TICK)), ""
        cost = read(usage, "cost")
        if cost is None or read(response, "_hidden_params") is not None:
            return None, ""
        if provider.strip().lower() == "openrouter" or is_openrouter(body, usage):
            return _openrouter_cost(usage, cost)
        total = read(cost, "total_cost")
        if total is None:
            return None, "usage.cost is not used: that it is in US dollars is known of OpenRouter only"
        if read_text(cost, "currency").upper() in ("", "USD"):
            return parse_usd("total_cost", total), ""
        return None, "usage.cost.total_cost is not in US dollars"
    except InvalidUsage as problem:
        return None, str(problem)


def _openrouter_cost(usage: object, cost: object) -> tuple[Decimal | None, str]:
    """With the caller's own key (`is_byok`) OpenRouter charges a fee, and the provider bills the rest.

    Both together are what the call cost. `upstream_inference_cost` also stands in other responses, where it is
    part of `cost`: only `is_byok` tells. A fee without the rest would pass for the whole cost, so it is not used.
    """
    charged = parse_usd("cost", cost)
    if read(usage, "is_byok") is not True:
        return charged, ""
    upstream = read(read(usage, "cost_details"), "upstream_inference_cost")
    if upstream is None:
        return None, "usage.cost is OpenRouter's fee only: the cost at the caller's own provider is not told"
    return parse_usd("cost", EXACT.add(charged, parse_usd("upstream_inference_cost", upstream))), ""
