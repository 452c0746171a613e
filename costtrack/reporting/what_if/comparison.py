"""WhatIf: what calls cost, and what they would have cost, by model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from costtrack.domain.money import EXACT, plain
from costtrack.domain.periods import DayRange
from costtrack.domain.tokens import TOKEN_FIELDS
from costtrack.reporting.what_if.alike_calls import AlikeCalls
from costtrack.reporting.what_if.other_prices import NO_MONEY, NoPrice, OtherPrices
from costtrack.reporting.wording import NO_NAME


class ReadFrom(StrEnum):
    """What the calls were read from."""

    SUMMARIES = "summaries"
    LEDGER = "ledger"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedCalls:
    """The calls of one model, or all of them together; corrections count in what they correct."""

    provider: str = ""
    model: str = ""
    """As it is booked; of a tool its name, as elsewhere. Of all calls together ""."""
    resource_type: str = ""
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    input_audio_tokens: int = 0
    output_audio_tokens: int = 0
    reasoning_tokens: int = 0
    booked_usd: Decimal | None = NO_MONEY
    """What is booked for those that have a cost; None where none has."""
    unpriced_calls: int = 0
    """Calls for which no cost is booked so far."""
    what_if_usd: Decimal | None = NO_MONEY
    """What those would have cost that can be priced; None where none can."""
    not_priced_calls: int = 0
    """Calls that can not be priced: their cost would be unknown, which is not 0."""
    compared_calls: int = 0
    """Calls that have a cost on both sides."""
    compared_booked_usd: Decimal = NO_MONEY
    """What is booked for the compared ones."""
    compared_what_if_usd: Decimal = NO_MONEY
    """What they would have cost."""

    @property
    def difference_usd(self) -> Decimal | None:
        """What the compared calls would have cost more; negative: less. None where none can be compared."""
        if not self.compared_calls:
            return None
        return plain(EXACT.subtract(self.compared_what_if_usd, self.compared_booked_usd))


@dataclass(frozen=True, slots=True, kw_only=True)
class NotPriced:
    """Calls that can not be priced, and why."""

    provider: str
    model: str
    resource_type: str
    service_tier: str
    reason: NoPrice
    calls: int
    booked_usd: Decimal
    """What is booked for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """The answer. The models add up to the total."""

    days: DayRange
    model: str
    """The other model; "": each call stays on its own."""
    provider: str
    priced_at: datetime | None
    """The instant whose rates price all of them; None: those in force when each call was made."""
    read_from: ReadFrom
    read_because: str
    """Why the ledger had to be read; "" if it had not."""
    total: ComparedCalls
    models: tuple[ComparedCalls, ...]
    """The dearest first, equal ones by name."""
    not_priced: tuple[NotPriced, ...]
    """Most calls first."""


@dataclass(slots=True)
class _Sums:
    """Of one model, while it is read."""

    counts: dict[str, int] = field(default_factory=dict)
    booked: Decimal = NO_MONEY
    what_if: Decimal = NO_MONEY
    compared_booked: Decimal = NO_MONEY
    compared_what_if: Decimal = NO_MONEY

    def add(self, calls: AlikeCalls, cost: Decimal | NoPrice) -> None:
        """Count these."""
        self._count("calls", calls.calls)
        for name in TOKEN_FIELDS:
            self._count(name, getattr(calls.tokens, name))
        self.booked = EXACT.add(self.booked, calls.booked_usd)
        if calls.is_unpriced:
            self._count("unpriced_calls", calls.calls)
        if isinstance(cost, NoPrice):
            self._count("not_priced_calls", calls.calls)
            return
        self.what_if = EXACT.add(self.what_if, cost)
        if not calls.is_unpriced:
            self._count("compared_calls", calls.calls)
            self.compared_booked = EXACT.add(self.compared_booked, calls.booked_usd)
            self.compared_what_if = EXACT.add(self.compared_what_if, cost)

    def shown(self, *, provider: str = "", model: str = "", resource_type: str = "") -> ComparedCalls:
        """As a value."""
        counts = self.counts
        total = counts.get("calls", 0)
        return ComparedCalls(
            provider=provider,
            model=model,
            resource_type=resource_type,
            booked_usd=None if 0 < total == counts.get("unpriced_calls", 0) else plain(self.booked),
            what_if_usd=None if 0 < total == counts.get("not_priced_calls", 0) else plain(self.what_if),
            compared_booked_usd=plain(self.compared_booked),
            compared_what_if_usd=plain(self.compared_what_if),
            **counts,
        )

    def _count(self, name: str, count: int) -> None:
        self.counts[name] = self.counts.get(name, 0) + count


@dataclass(frozen=True, slots=True)
class Compared:
    """The sums of a comparison."""

    total: ComparedCalls
    models: tuple[ComparedCalls, ...]
    not_priced: tuple[NotPriced, ...]


def compare(found: Iterable[AlikeCalls], prices: OtherPrices) -> Compared:
    """Price all calls anew, and sum up by model."""
    total = _Sums()
    models: dict[tuple[str, str, str], _Sums] = {}
    not_priced: dict[tuple[str, str, str, str, NoPrice], tuple[int, Decimal]] = {}
    for calls in found:
        cost = prices.cost_of(calls)
        model = calls.model or calls.provider or calls.resource_type or NO_NAME
        key = (calls.provider, model, calls.resource_type)
        for sums in (total, models.setdefault(key, _Sums())):
            sums.add(calls, cost)
        if isinstance(cost, NoPrice):
            count, booked = not_priced.get((*key, calls.service_tier, cost), (0, NO_MONEY))
            not_priced[*key, calls.service_tier, cost] = count + calls.calls, EXACT.add(booked, calls.booked_usd)
    lines = [
        sums.shown(provider=provider, model=model, resource_type=resource_type)
        for (provider, model, resource_type), sums in models.items()
    ]
    lines.sort(key=lambda line: (-(line.booked_usd or NO_MONEY), line.model, line.provider, line.resource_type))
    missing = [
        NotPriced(
            provider=provider,
            model=model,
            resource_type=resource_type,
            service_tier=service_tier,
            reason=reason,
            calls=count,
            booked_usd=plain(booked),
        )
        for (provider, model, resource_type, service_tier, reason), (count, booked) in not_priced.items()
    ]
    missing.sort(key=lambda one: (-one.calls, one.model, one.provider, one.service_tier, one.reason))
    return Compared(total.shown(), tuple(lines), tuple(missing))
