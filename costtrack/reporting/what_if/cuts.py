"""Cuts: where the price of a call changes, so that calls between two cuts can be summed up before they are priced."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.db.models import Case, F, IntegerField, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import TruncTime

from costtrack.domain.periods import DayRange
from costtrack.domain.tokens import INPUT_PARTS, OUTPUT_PARTS
from costtrack.pricing.priced_rate import PricedRate

LONGEST_DAY = timedelta(hours=38)
"""A local day begins at most so long before, and ends so long after, the midnight of its date in UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cuts:
    """The thresholds of all rates that may price some calls."""

    above_input_tokens: tuple[int, ...] = ()
    """A long-context tier begins strictly above."""
    instants: tuple[datetime, ...] = ()
    """Another rate begins."""
    clocks: tuple[time, ...] = ()
    """A daily window begins or ends; UTC."""
    by_classes: bool = False
    """Some class of tokens has no price: whether a call has tokens of it decides whether it has a price."""

    @classmethod
    def of(cls, rates: Iterable[PricedRate], *, days: DayRange | None) -> Cuts:
        """Those that matter for calls of these local days, in whatever zone; None: all are priced by one instant."""
        known = list(rates)
        return cls(
            above_input_tokens=tuple(sorted({tier.above_input_tokens for rate in known for tier in rate.tiers})),
            instants=() if days is None else _beginnings(known, days),
            clocks=() if days is None else _window_edges(known),
            by_classes=not all(rate.covers_all_usage for rate in known),
        )

    @property
    def is_any(self) -> bool:
        """Whether calls of one model may have different prices."""
        return bool(self.above_input_tokens or self.instants or self.clocks or self.by_classes)

    def parts(self) -> dict[str, Combinable]:
        """Expressions over ledger rows, by name: rows that agree in all of them have the same prices."""
        parts: dict[str, Combinable] = {}
        if self.above_input_tokens:
            parts["cut_size"] = _part("input_tokens__lte", self.above_input_tokens)
        if self.instants:
            parts["cut_instant"] = _part("occurred_at__lt", self.instants)
        if self.clocks:
            parts["cut_clock"] = _part("cut_time__lt", self.clocks)
        if self.by_classes:
            parts |= _classes()
        return parts

    def annotations(self) -> dict[str, Combinable]:
        """What `parts` refer to."""
        return {"cut_time": TruncTime("occurred_at", tzinfo=UTC)} if self.clocks else {}


def _beginnings(rates: Iterable[PricedRate], days: DayRange) -> tuple[datetime, ...]:
    """Where another rate begins near these days."""
    first, last = (datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (days.start, days.end))
    starts = {rate.effective_from for rate in rates}
    return tuple(sorted(start for start in starts if first - LONGEST_DAY < start < last + LONGEST_DAY))


def _window_edges(rates: Iterable[PricedRate]) -> tuple[time, ...]:
    windowed = [rate for rate in rates if rate.is_windowed]
    return tuple(sorted({edge for rate in windowed for edge in (rate.window_start, rate.window_end)}))


def _part(lookup: str, thresholds: Sequence[object]) -> Case:
    """Between which thresholds a row lies."""
    cases = [When(**{lookup: threshold}, then=Value(index)) for index, threshold in enumerate(thresholds)]
    return Case(*cases, default=Value(len(thresholds)), output_field=IntegerField())


def _classes() -> dict[str, Combinable]:
    """Which classes have tokens; plain input and output are what the other ones leave of their whole."""
    found: dict[str, Combinable] = {}
    for whole, parts in (("input_tokens", INPUT_PARTS), ("output_tokens", OUTPUT_PARTS)):
        found |= {f"has_{name}": _part(f"{name}__lte", [0]) for name in parts}
        all_parts: Any = F(parts[0])
        for name in parts[1:]:
            all_parts = all_parts + F(name)
        found[f"has_plain_{whole}"] = _part(f"{whole}__lte", [all_parts])
    return found
