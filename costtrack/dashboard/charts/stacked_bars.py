"""Stacked bars: what each day cost, by what; with a line for what a budget allows, and hatched bars to come."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from django.utils.html import format_html
from django.utils.safestring import SafeString

from costtrack.dashboard.charts.drawing import (
    ZERO,
    element,
    hatching,
    picture,
    place,
    position,
    scale_steps,
    scale_top,
)

WIDTH, HEIGHT = 1000, 240
FILLED = Decimal("0.78")
"""The part of its slot that a bar fills."""
WIDEST = Decimal(90)
COLOURS = 9
OTHER = "ct-other"
UNPRICED = "unpriced"
LABELS = 7
"""So many labels below, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One colour of the bars."""

    name: str
    values: Sequence[Decimal]
    """One for each bar."""
    total: str
    """As people read it."""
    class_: str
    unpriced: Collection[int] = ()
    """The bars of which no value is known, although there is something: they are not told as 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A line across: what a budget allows a day."""

    name: str
    value: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class StackedBars:
    """The whole chart, before it is drawn."""

    id: str
    title: str
    bars: Sequence[str]
    """What each is called, in order."""
    series: Sequence[Series]
    """The lowest first."""
    written: Callable[[Decimal], str]
    """How a value is written for people."""
    level: Level | None = None
    coming: Sequence[str] = ()
    """Bars that are still to come, after the others."""
    coming_value: Decimal = ZERO
    """What each of them is expected to be."""
    totals: Sequence[Decimal] = field(init=False)
    top: Decimal = field(init=False)

    def __post_init__(self) -> None:
        """Add each bar up, and find the scale."""
        totals = [sum((one.values[index] for one in self.series), ZERO) for index in range(len(self.bars))]
        object.__setattr__(self, "totals", totals)
        # What is drawn, not the total: a correction below 0 is not drawn.
        drawn = [sum((max(one.values[index], ZERO) for one in self.series), ZERO) for index in range(len(self.bars))]
        levels = [ZERO if self.level is None else self.level.value, self.coming_value if self.coming else ZERO]
        object.__setattr__(self, "top", scale_top(max([*drawn, *levels])))

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to see."""
        return not any(self.totals)

    @property
    def scale(self) -> list[str]:
        """The figures on the left, the highest first."""
        return [self.written(value) for value in scale_steps(self.top)]

    @property
    def labels(self) -> list[str]:
        """What stands below each slot; "" below most of them where they are many."""
        names = [*self.bars, *self.coming]
        every = -(-len(names) // LABELS)
        return [name if index % every == 0 else "" for index, name in enumerate(names)]

    @property
    def rows(self) -> list[tuple[str, list[str], str]]:
        """The table below: of each bar its name, its parts and its total; of those to come what is expected."""
        expected = self.written(self.coming_value)
        parts = [expected] if len(self.series) == 1 else [""] * len(self.series)
        return [
            *(
                (name, [self._part(one, index) for one in self.series], self._total(index))
                for index, name in enumerate(self.bars)
            ),
            *((f"{name}, forecast", parts, expected) for name in self.coming),
        ]

    @property
    def svg(self) -> SafeString:
        """The drawing."""
        parts = [element("defs", hatching(f"{self.id}-hatch", class_="ct-forecast"))]
        parts += [_grid_line(step) for step in scale_steps(Decimal(1))]
        parts += [self._bar(index) for index in range(len(self.bars))]
        parts += [self._coming_bar(index) for index in range(len(self.bars), len(self.bars) + len(self.coming))]
        if self.level is not None:
            height = HEIGHT - position(self.level.value, of=self.top, length=HEIGHT)
            parts.append(element("line", x1=0, x2=WIDTH, y1=height, y2=height, class_="ct-level"))
        return picture(*parts, title=self.title, width=WIDTH, height=HEIGHT, class_="ct-bars", id_=f"{self.id}-svg")

    def _part(self, one: Series, index: int) -> str:
        return UNPRICED if index in one.unpriced else self.written(one.values[index])

    def _total(self, index: int) -> str:
        is_known = self.totals[index] or not any(index in one.unpriced for one in self.series)
        return self.written(self.totals[index]) if is_known else UNPRICED

    @property
    def _slots(self) -> int:
        return len(self.bars) + len(self.coming)

    def _slot(self, index: int) -> tuple[Decimal, Decimal]:
        """Where the bar begins, and how wide it is."""
        slot = place(1, count=self._slots, length=WIDTH)
        width = min(slot * FILLED, WIDEST).quantize(Decimal("0.01"))
        return place(index, count=self._slots, length=WIDTH) + ((slot - width) / 2).quantize(Decimal("0.01")), width

    def _bar(self, index: int) -> SafeString:
        x, width = self._slot(index)
        floor, drawn = ZERO, []
        for one in self.series:
            value = max(one.values[index], ZERO)
            if not value:
                continue
            low, high = (position(edge, of=self.top, length=HEIGHT) for edge in (floor, floor + value))
            drawn.append(element("rect", x=x, y=HEIGHT - high, width=width, height=high - low, class_=one.class_))
            floor += value
        parts = [
            f"{one.name} {self._part(one, index)}"
            for one in reversed(self.series)
            if one.values[index] or index in one.unpriced
        ]
        told = f"{self.bars[index]}: {self._total(index)}"
        if len(self.series) > 1 and parts:
            told += f" ({', '.join(parts)})"
        slot = element(
            "rect",
            x=place(index, count=self._slots, length=WIDTH),
            y=0,
            width=place(1, count=self._slots, length=WIDTH),
            height=HEIGHT,
            class_="ct-slot",
        )
        return element("g", element("title", format_html("{}", told)), slot, *drawn, class_="ct-stack")

    def _coming_bar(self, index: int) -> SafeString:
        x, width = self._slot(index)
        height = position(self.coming_value, of=self.top, length=HEIGHT)
        told = f"{self.coming[index - len(self.bars)]}: forecast {self.written(self.coming_value)}"
        bar = element(
            "rect",
            x=x,
            y=HEIGHT - height,
            width=width,
            height=height,
            fill=f"url(#{self.id}-hatch)",
            class_="ct-coming",
        )
        return element("g", element("title", format_html("{}", told)), bar)


def class_of(index: int) -> str:
    """The colour of the series with that index; from the tenth on they begin again."""
    return f"ct-s{index % COLOURS + 1}"


def _grid_line(step: Decimal) -> SafeString:
    y = position(step, of=Decimal(1), length=HEIGHT)
    return element("line", x1=0, x2=WIDTH, y1=y, y2=y, class_="ct-grid")
