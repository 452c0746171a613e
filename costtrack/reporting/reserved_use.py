"""How much of what was reserved was used, of resources that are reserved by their time or amount, such as GPUs.

A reservation and the usage that settles it have one instant. Tools are left out: a call is reserved, and made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connections
from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.fields.json import KeyTextTransform

from costtrack.budgets.holds import HELD_AMOUNT
from costtrack.conf import settings
from costtrack.domain.events import ResourceType, UsageKind
from costtrack.domain.money import EXACT, round_cost
from costtrack.models import Hold, ResourceUsage
from costtrack.reporting.figures import NO_MONEY, ROUNDING, money_reader, rounded

MOST_ROWS = 2000
"""Records that are looked at, the newest ones."""
BY_CALL = (ResourceType.LLM_TOKENS.value, ResourceType.API_CALL.value, ResourceType.WEB_SEARCH.value)
"""Resource types of which nothing is reserved but the call itself."""


@dataclass(slots=True, kw_only=True)
class ReservedUse:
    """What was reserved of one resource and model, and what of it was used."""

    resource_type: str
    model: str
    reservations: int = 0
    held: Decimal = NO_MONEY
    """Units of the resource type, as are the next."""
    used: Decimal = NO_MONEY
    idle: Decimal = NO_MONEY
    """Held and not used, of each reservation; one that used more than it held makes up for no other."""
    idle_cost_usd: Decimal = NO_MONEY
    """At the unit price of each usage's rate, at 12 places."""
    without_price: int = 0
    """Reservations that were not used up, and of which that price is not known."""

    @property
    def used_percent(self) -> Decimal:
        """What of the reserved was used, in percent, to 1 place, half-even; at most 100."""
        used = ROUNDING.multiply(ROUNDING.subtract(self.held, self.idle), Decimal(100))
        return rounded(ROUNDING.divide(used, self.held), places=1)


def reserved_use(rows: QuerySet[ResourceUsage]) -> Sequence[ReservedUse]:
    """By resource type and model, the dearest idleness first, of `rows` that settled a reservation (one query).

    Give rows that an index bounds. Of several usages at one instant nobody knows which was reserved: they are left out.
    """
    found: dict[tuple[str, str], ReservedUse] = {}
    usages = list(_settling(rows))
    at_once = Counter((row["organization_id"], row["occurred_at"], row["model"]) for row in usages)
    units = money_reader(connections[settings.database].vendor)
    for row in usages:
        held = None if row["held"] is None else Decimal(row["held"])
        if not held or at_once[row["organization_id"], row["occurred_at"], row["model"]] > 1:
            continue
        key = row["resource_type"], row["model"]
        _add(found.setdefault(key, ReservedUse(resource_type=key[0], model=key[1])), held, units(row["amount"]), row)
    return sorted(found.values(), key=lambda one: (-one.idle_cost_usd, -one.idle, one.resource_type, one.model))


def _settling(rows: QuerySet[ResourceUsage]) -> Iterable[dict[str, Any]]:
    """The newest usages, each with what was held for it, if anything was."""
    hold: QuerySet[Any] = Hold.objects.using(settings.database).filter(
        organization=OuterRef("organization"),
        admitted_at=OuterRef("occurred_at"),
        state=Hold.State.SETTLED,
    )
    names = ("resource_type", "model", HELD_AMOUNT)
    told = hold.annotate(**{f"told_{name}": KeyTextTransform(name, "about") for name in names})
    held = told.filter(told_resource_type=OuterRef("resource_type"), told_model=OuterRef("model"))
    usages = rows.filter(kind=UsageKind.USAGE.value).exclude(resource_type__in=BY_CALL)
    newest = usages.order_by("-day", "-id").annotate(held=Subquery(held.values(f"told_{HELD_AMOUNT}")[:1]))
    shown = ("organization_id", "occurred_at", "resource_type", "model", "amount", "held", "rate__unit_price_usd")
    found: Iterable[dict[str, Any]] = newest.values(*shown)[:MOST_ROWS]
    return found


def _add(to: ReservedUse, held: Decimal, used: Decimal, row: dict[str, Any]) -> None:
    idle = max(EXACT.subtract(held, used), NO_MONEY)
    price: Decimal | None = row["rate__unit_price_usd"]
    to.reservations += 1
    to.held = EXACT.add(to.held, held)
    to.used = EXACT.add(to.used, used)
    to.idle = EXACT.add(to.idle, idle)
    if price is not None:
        to.idle_cost_usd = EXACT.add(to.idle_cost_usd, round_cost(EXACT.multiply(idle, price)))
    elif idle:
        to.without_price += 1
