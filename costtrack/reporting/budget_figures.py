"""BudgetStatus: how one budget stands in its current period, as a frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from enum import StrEnum

from costtrack.domain.money import plain

ZERO = Decimal(0)
NEAR_PERCENT = Decimal(80)
"""From so much of the limit on, spent or held, a budget is near it."""
_PERCENT_PLACES = Decimal("0.01")
_CONTEXT = Context(prec=60, rounding=ROUND_HALF_EVEN)


class BudgetState(StrEnum):
    """How a budget stands, in one word."""

    OK = "ok"
    NEAR = "near"
    """80 % of the limit and more are spent or held."""
    OVER = "over"
    """The whole limit is spent, or more."""
    RESTING = "resting"
    """It neither counts nor refuses; its figures are the ledger's."""
    UNLIMITED = "unlimited"
    """It only counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetStatus:
    """One subject of a budget in its current period; quantities are in its metric."""

    budget_id: int
    budget: str
    """Its name, else what it is about."""
    organization: str
    """The slug."""
    scope: Mapping[str, object]
    """What it is about within its organization, with its subject: `project_id`, `thread_id`, `model` ..."""
    scope_text: str
    subject: str
    """Which of its counters, as they are stored; "" for the whole scope."""
    subject_text: str
    """The same for people: `website/writer` for an agent."""
    metric: str
    enforcement: str
    period: str
    is_active: bool
    limit: Decimal | None
    """None: unlimited."""
    spent: Decimal
    held: Decimal
    """By reservations of calls that are being made."""
    leased: Decimal
    """Handed to Redis, which admits out of it."""
    forecast: Decimal | None
    """What will be spent at the period's end; None where there is no telling."""
    forecast_method: str
    """How the forecast is made, or why there is none."""
    period_start: datetime
    resets_at: datetime | None
    """When the period ends; None: never."""
    shadow_refusals: int
    """The calls that this budget would have refused, were it hard."""
    other_subjects: int = 0
    """How many subjects of the same budget were left out, because they have spent less than those shown."""

    @property
    def taken(self) -> Decimal:
        """What a reservation finds taken: spent, held and leased."""
        return plain(self.spent + self.held + self.leased)

    @property
    def remaining(self) -> Decimal | None:
        """What a call may still take, never below 0; None: unlimited."""
        return None if self.limit is None else plain(max(ZERO, self.limit - self.taken))

    @property
    def percent(self) -> Decimal | None:
        """How much of the limit is spent, to two decimals; None without a limit, and for one of 0."""
        if not self.limit:
            return None
        return _CONTEXT.divide(self.spent * 100, self.limit).quantize(_PERCENT_PLACES, context=_CONTEXT)

    @property
    def overrun(self) -> Decimal:
        """What is spent above the limit."""
        return ZERO if self.limit is None else plain(max(ZERO, self.spent - self.limit))

    @property
    def state(self) -> BudgetState:
        """The same in one word."""
        if not self.is_active:
            return BudgetState.RESTING
        if self.limit is None:
            return BudgetState.UNLIMITED
        if self.spent >= self.limit:
            return BudgetState.OVER
        return BudgetState.NEAR if self.taken * 100 >= NEAR_PERCENT * self.limit else BudgetState.OK
