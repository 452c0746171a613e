"""The table that a failed assert_cost_below shows: each call with its model, its usage and its cost."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from operator import itemgetter

from costtrack.domain.events import ResourceType, UsageEvent
from costtrack.domain.money import decimal_text
from costtrack.testing.capture import sum_of

MOST_CALLS = 20
"""More calls than these are one line: what matters are the dearest, and those that nobody knows the cost of."""

_Line = tuple[str, str, str, str]


def cost_table(events: Sequence[UsageEvent], *, costs: tuple[Decimal | None, ...], limit_usd: Decimal) -> list[str]:
    """The lines of the table. Amounts are not rounded, so that they add up."""
    lines: list[_Line] = [("call", "model", "used", "cost")]
    shown = _most_telling(costs)
    lines += [(f"{i + 1:,}", _model(events[i]), _used(events[i]), _cost(costs[i])) for i in shown]
    if len(shown) < len(costs):
        others = tuple(cost for i, cost in enumerate(costs) if i not in set(shown))
        lines.append(("", f"{len(others):,} other calls", _unpriced_among(others), usd(sum_of(others))))
    lines.append(("", "total", _unpriced_among(costs), usd(sum_of(costs))))
    lines.append(("", "limit", "", usd(limit_usd)))
    call, model, used, cost = (max(len(line[column]) for line in lines) for column in range(4))
    return [f"  {a:>{call}}  {b:<{model}}  {c:<{used}}  {d:>{cost}}" for a, b, c, d in lines]


def usd(amount: Decimal) -> str:
    """Exact dollars: `$0.0075`."""
    return f"${decimal_text(amount)}"


def _most_telling(costs: tuple[Decimal | None, ...]) -> list[int]:
    """The calls to show, in their order: all of them or those of unknown cost and the dearest."""
    ranked = sorted(((cost is None, cost or Decimal(0), -index) for index, cost in enumerate(costs)), reverse=True)
    return sorted(-index for index in map(itemgetter(2), ranked[:MOST_CALLS]))


def _model(event: UsageEvent) -> str:
    return " ".join(filter(None, (event.provider, event.model))) or event.attribution.endpoint or "?"


def _used(event: UsageEvent) -> str:
    if event.usage_missing:
        return "no usage in the response"
    if event.resource_type != ResourceType.LLM_TOKENS:
        return f"{decimal_text(event.amount)} {event.resource_type}"
    return f"{event.tokens.input_tokens:,} in, {event.tokens.output_tokens:,} out"


def _cost(cost: Decimal | None) -> str:
    return "unpriced" if cost is None else usd(cost)


def _unpriced_among(costs: tuple[Decimal | None, ...]) -> str:
    count = costs.count(None)
    return f"and {count:,} unpriced" if count else ""
