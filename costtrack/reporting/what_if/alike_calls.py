"""AlikeCalls: calls that one rate prices by one set of prices, so that their sums can be priced at once, exactly."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from costtrack.domain.tokens import TokenUsage


@dataclass(frozen=True, slots=True, kw_only=True)
class AlikeCalls:
    """The sums of calls that differ in nothing that a price depends on but the numbers of their tokens."""

    names: tuple[Any, ...] = ()
    """Their values of what they were grouped by besides."""
    organization_id: int
    resource_type: str
    provider: str
    gateway: str = ""
    model: str
    service_tier: str = "standard"
    is_unpriced: bool = False
    """Nothing is booked for any of them: their price is unknown so far."""
    is_usage_missing: bool = False
    """What they used is not known."""
    used_nothing: bool = False
    """They failed and used nothing: they cost 0 at any price."""
    at: datetime
    """The instant of one of them: all have the same rates in force."""
    input_tokens_of_one: int
    """Of one of them: all lie on the same side of every long-context threshold."""
    calls: int
    tokens: TokenUsage
    """Summed up."""
    amount_of_one: Decimal = Decimal(0)
    """Units of another resource than tokens: all used the same."""
    booked_usd: Decimal = Decimal(0)
