"""The figures of a summary by their names in JSON and exports, and which sums each is made of."""

from __future__ import annotations

from collections.abc import Collection
from operator import attrgetter
from typing import NamedTuple

from costtrack.reporting.columns import Column, Kind

COST_SUMS = ("cost_usd", "calls", "unpriced_calls")
"""Read whatever is asked for: what orders the groups, and whether a cost is known."""
AMOUNT = "amount"


class ShownFigure(NamedTuple):
    """One of them."""

    name: str
    kind: Kind
    attribute: str
    """Of Figures."""
    sums: tuple[str, ...]
    """The fields of Figures that it is made of."""
    about: str
    is_nullable: bool

    @property
    def column(self) -> Column:
        """It as a column whose `value` takes it from Figures."""
        return Column(self.name, self.kind, attrgetter(self.attribute), self.is_nullable, self.about)


def _count(name: str, about: str = "", *, sums: tuple[str, ...] = ()) -> ShownFigure:
    return ShownFigure(name, Kind.INTEGER, name, sums or (name,), about, is_nullable=False)


def _money(name: str, about: str) -> ShownFigure:
    field = f"{name}_usd"
    return ShownFigure(name, Kind.DECIMAL, field, (field,), about, is_nullable=False)


def _nullable(name: str, attribute: str, sums: tuple[str, ...], about: str) -> ShownFigure:
    return ShownFigure(name, Kind.DECIMAL, attribute, sums, about, is_nullable=True)


_SHOWN = (
    _nullable(
        "cost", "known_cost_usd", COST_SUMS, "US dollars; null where not one of the calls has a price that is known."
    ),
    _count("calls"),
    _count("errors", "Calls that failed; `calls` holds them too."),
    _count("unpriced_calls", "Calls whose price is unknown; `cost` says nothing about them."),
    _count("input_tokens", "All that was read, what was read from a cache and written to it included."),
    _count("output_tokens"),
    _count("total_tokens", "Input plus output.", sums=("input_tokens", "output_tokens")),
    _count("cache_read_tokens", "Part of the input."),
    _count("cache_write_tokens", "Part of the input, written to a cache for 5 minutes."),
    _count("cache_write_1h_tokens", "Part of the input, written to a cache for an hour."),
    _count("input_audio_tokens", "Part of the input."),
    _count("output_audio_tokens", "Part of the output."),
    _count("reasoning_tokens", "Part of the output."),
    _money("cost_reported", "The part of the cost that providers reported."),
    _money("cost_estimated", "The part of the cost that comes from rates."),
    _money("saving", "What a cache, a cascade or compression avoided; no part of the cost. Signed."),
    _nullable(
        "avg_latency_ms",
        "average_latency_ms",
        ("latency_ms", "timed_calls"),
        "Milliseconds per call whose latency is known; null where none is.",
    ),
    _nullable(AMOUNT, AMOUNT, (AMOUNT,), "Units of the one resource type; null where several are summed up."),
)
SHOWN_FIGURES = {shown.name: shown for shown in _SHOWN}
"""All that a summary can show, by name, in their order."""
ALWAYS_SHOWN = tuple(name for name in SHOWN_FIGURES if name != AMOUNT)
"""All but the amount, which means something within one resource type only."""


def sums_of(names: Collection[str]) -> tuple[str, ...]:
    """The sums that a summary of these figures reads."""
    return tuple(dict.fromkeys([*COST_SUMS, *(field for name in names for field in SHOWN_FIGURES[name].sums)]))
