"""How the pages write what was used of resources other than tokens: their units, and what one of them cost."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import NamedTuple

from costtrack.dashboard.words import NONE, PERCENT
from costtrack.domain.events import ResourceType
from costtrack.domain.money import decimal_text
from costtrack.reporting.figures import Figures
from costtrack.reporting.reserved_use import ReservedUse
from costtrack.reporting.wording import one_line, usd_text

_CONTEXT = Context(prec=60, rounding=ROUND_HALF_EVEN)


class Unit(NamedTuple):
    """What people count a resource in."""

    one: str
    several: str
    size: int = 1
    """So many of the ledger's units."""


UNITS: Mapping[str, Unit] = {
    ResourceType.GPU_SECONDS.value: Unit("hour", "hours", 3600),
    ResourceType.API_CALL.value: Unit("call", "calls"),
    ResourceType.WEB_SEARCH.value: Unit("search", "searches"),
}
OTHER = Unit("unit", "units")
"""Of a resource type of the host's own."""


def unit_of(resource_type: str) -> Unit:
    """What people count it in."""
    return UNITS.get(resource_type, OTHER)


def used_text(amount: Decimal, resource_type: str) -> str:
    """`12.5 hours`, `1 search`, `1,200 units`: at most two places, half-even."""
    unit = unit_of(resource_type)
    value = _CONTEXT.divide(amount, Decimal(unit.size)).quantize(Decimal("0.01"), context=_CONTEXT)
    whole, dot, decimals = decimal_text(value).partition(".")
    sign = "-" if value < 0 else ""
    return f"{sign}{abs(int(whole)):,}{dot}{decimals} {unit.one if value == 1 else unit.several}"


def unit_cost_text(figures: Figures, resource_type: str) -> str:
    """What one of them cost on average: `$2.50 an hour`; a dash where a price is unknown or nothing was used."""
    if figures.unpriced_calls or figures.amount <= 0:
        return NONE
    unit = unit_of(resource_type)
    cost = _CONTEXT.divide(figures.cost_usd * unit.size, figures.amount)
    return f"{usd_text(cost)} {'an' if unit.one[0] in 'aeh' else 'a'} {unit.one}"


def reserved_line(one: ReservedUse) -> dict[str, str]:
    """What was reserved, how much of it was used, and what the rest has cost: a dash where no price is known."""
    is_known = not one.without_price
    return {
        "name": one_line(one.model),
        "type": one_line(one.resource_type),
        "reservations": f"{one.reservations:,}",
        "held": used_text(one.held, one.resource_type),
        "used": used_text(one.used, one.resource_type),
        "percent": f"{one.used_percent}{PERCENT}",
        "idle": used_text(one.idle, one.resource_type),
        "cost": usd_text(one.idle_cost_usd) if is_known else NONE,
    }
