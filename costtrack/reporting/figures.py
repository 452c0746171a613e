"""Figures: the sums of a set of summaries or ledger rows, as one frozen value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from functools import lru_cache
from operator import attrgetter
from typing import Any

from django.db import connections
from django.db.models import Q, Sum

from costtrack.domain.events import CostSource
from costtrack.domain.frozen import frozen_from
from costtrack.domain.money import COST_PLACES, EXACT, decimal_from_database

NO_MONEY = Decimal(0)
SQLITE_PLACES = 9
"""SQLite adds up as floats: there sums are good to a nano-dollar."""
ROUNDING = Context(prec=60, rounding=ROUND_HALF_EVEN)


def rounded(value: Decimal, *, places: int) -> Decimal:
    """The value at that many decimals, half-even, whatever the ambient context."""
    return value.quantize(Decimal(1).scaleb(-places), context=ROUNDING)


def mean(total: Decimal, count: int, *, places: int) -> Decimal:
    """Total by count at that many decimals; 0 where there is nothing to divide by."""
    return rounded(ROUNDING.divide(total, Decimal(count)), places=places) if count > 0 else NO_MONEY


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Sums of what happened and what it cost. All are signed: corrections are rows with negative figures.

    Without slots, so that the thousands of a summary can be made by `frozen_from`.
    """

    calls: int = 0
    errors: int = 0
    unpriced_calls: int = 0
    """Calls whose price is unknown; `cost_usd` says nothing about them, so show this beside it."""
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    input_audio_tokens: int = 0
    output_audio_tokens: int = 0
    reasoning_tokens: int = 0
    latency_ms: int = 0
    timed_calls: int = 0
    """Calls whose latency is known: `latency_ms` is the sum of these."""
    amount: Decimal = NO_MONEY
    """Units of the resource type: it means something within one resource type only."""
    cost_usd: Decimal = NO_MONEY
    cost_reported_usd: Decimal = NO_MONEY
    cost_estimated_usd: Decimal = NO_MONEY
    saving_usd: Decimal = NO_MONEY

    @property
    def total_tokens(self) -> int:
        """Input plus output."""
        return self.input_tokens + self.output_tokens

    @property
    def known_cost_usd(self) -> Decimal | None:
        """The cost, or None where not one of the calls has a price: an unknown price is no price of 0."""
        return None if 0 < self.calls <= self.unpriced_calls and not self.cost_usd else self.cost_usd

    @property
    def priced_calls(self) -> int:
        """Calls whose price is known."""
        return self.calls - self.unpriced_calls

    @property
    def average_cost_usd(self) -> Decimal | None:
        """Cost per priced call at 12 decimals, half-even; 0 without calls, None where no call has a price."""
        if self.priced_calls <= 0 < self.calls:
            return None
        return mean(self.cost_usd, self.priced_calls, places=COST_PLACES)

    @property
    def average_tokens(self) -> Decimal:
        """Tokens per call at 2 decimals, half-even; 0 without calls."""
        return mean(Decimal(self.total_tokens), self.calls, places=2)

    @property
    def average_latency_ms(self) -> Decimal | None:
        """Milliseconds per call whose latency is known, at 2 decimals, half-even; None where none is."""
        return mean(Decimal(self.latency_ms), self.timed_calls, places=2) if self.timed_calls > 0 else None


@dataclass(frozen=True, slots=True)
class CostLine:
    """The figures of one value of a dimension: of one model, one endpoint, one day."""

    name: str
    """The value; "" where usage was not attributed to any."""
    figures: Figures


Sums = tuple[Any, ...]
"""Of some of the names of Figures, as int or Decimal. Thousands of plain tuples cost the garbage collector nothing."""
FIGURES = tuple(field.name for field in fields(Figures))
LEDGER_FILTERS = {
    "cost_reported_usd": ("cost_usd", Q(cost_source=CostSource.REPORTED.value)),
    "cost_estimated_usd": ("cost_usd", Q(cost_source=CostSource.ESTIMATED.value)),
    "timed_calls": ("calls", Q(latency_ms__isnull=False)),
}
"""Sums that the ledger has no column of: the column that is summed, and of which rows."""


def summary_sums() -> dict[str, Sum]:
    """The aggregates of a query over DailyCostSummary that `read_figures` reads."""
    return {f"sum_{name}": Sum(name) for name in FIGURES}


def ledger_sums() -> dict[str, Sum]:
    """The aggregates of a query over ResourceUsage that `read_figures` reads."""
    sums = {f"sum_{name}": Sum(name) for name in FIGURES if name not in LEDGER_FILTERS}
    return sums | {f"sum_{name}": Sum(of, filter=only) for name, (of, only) in LEDGER_FILTERS.items()}


def read_figures(row: Mapping[str, Any], *, using: str) -> Figures:
    """The figures of one row of such a query; sums over no rows are 0."""
    return figures_reader(FIGURES, using=using)(row[f"sum_{name}"] for name in FIGURES)


def figures_reader(names: tuple[str, ...], *, using: str) -> Callable[[Iterable[Any]], Figures]:
    """What makes Figures of sums in the order of these names, as the database has them; all others are 0."""
    read = sums_reader(names, using=using)
    return lambda sums: figures_of(names, read(sums))


def sums_reader(names: tuple[str, ...], *, using: str) -> Callable[[Iterable[Any]], Sums]:
    """What makes numbers, counts as int and money as Decimal, of sums in the order of these names."""
    return _reader(names, connections[using].vendor)


def figures_of(names: Sequence[str], sums: Sums) -> Figures:
    """Figures with these sums, in the order of these names; all others are 0."""
    return frozen_from(Figures, dict(zip(names, sums, strict=True)))


@lru_cache(maxsize=64)
def _reader(names: tuple[str, ...], vendor: str) -> Callable[[Iterable[Any]], Sums]:
    money = money_reader(vendor)
    readers = [money if name == "amount" or name.endswith("_usd") else _count for name in names]
    return lambda sums: tuple([of(value) for of, value in zip(readers, sums, strict=True)])


def money_reader(vendor: str) -> Callable[[Any], Decimal]:
    """What makes a Decimal of a sum of money, or of units, as a database of that vendor has it."""
    return _nano_dollars if vendor == "sqlite" else decimal_from_database


def _count(value: Any) -> int:
    return int(value or 0)


def _nano_dollars(value: Any) -> Decimal:
    return rounded(decimal_from_database(value), places=SQLITE_PLACES)


def added(parts: Iterable[Sums], *, names: Sequence[str]) -> Sums:
    """The sums of several, each in the order of these names; 0 of none."""
    with localcontext(EXACT):
        return tuple(map(sum, zip(*parts, strict=True))) or tuple(getattr(Figures, name) for name in names)


def add_up(parts: Iterable[Figures], *, names: Sequence[str] = FIGURES) -> Figures:
    """The sum of several figures, of those that are named; the others are 0."""
    listed = list(parts)
    if not listed:
        return Figures()
    with localcontext(EXACT):
        return frozen_from(Figures, {name: sum(map(attrgetter(name), listed)) for name in names})


def dearest_first(named: Mapping[str, Iterable[Figures]]) -> tuple[CostLine, ...]:
    """One line per name, the dearest first, equal ones by name."""
    lines = (CostLine(name, add_up(parts)) for name, parts in named.items())
    return tuple(sorted(lines, key=lambda line: (-line.figures.cost_usd, line.name)))
