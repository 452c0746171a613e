"""Bars on one line: a share, a budget with its thresholds; and a sparkline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.html import format_html
from django.utils.safestring import SafeString

from costtrack.dashboard.charts.drawing import ZERO, element, hatching, joined, picture, place, position

SHARE_WIDTH, SHARE_HEIGHT = 100, 8
BAR_WIDTH, BAR_HEIGHT = 1000, 28
LINE_WIDTH, LINE_HEIGHT = 120, 28


def share_bar(value: Decimal, *, of: Decimal, title: str, class_: str = "ct-s1") -> SafeString:
    """A horizontal bar: how long the value is beside the longest one."""
    return picture(
        element("rect", width=SHARE_WIDTH, height=SHARE_HEIGHT, class_="ct-track"),
        element("rect", width=position(value, of=of, length=SHARE_WIDTH), height=SHARE_HEIGHT, class_=class_),
        title=title,
        width=SHARE_WIDTH,
        height=SHARE_HEIGHT,
        class_="ct-share",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A threshold of a budget."""

    value: Decimal
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetBar:
    """A budget's limit with what is spent of it, held, and forecast."""

    id: str
    title: str
    limit: Decimal | None
    reach: Decimal = ZERO
    """How far the bar goes at least where there is no limit: to the next threshold."""
    spent: Decimal
    held: Decimal = ZERO
    forecast: Decimal | None = None
    ticks: Sequence[Tick] = ()
    class_: str = "ct-ok"
    """How it stands: ct-ok, ct-near, ct-over, ct-resting, ct-unlimited."""

    @property
    def top(self) -> Decimal:
        """The end of the bar: the limit or the next threshold, or what lies beyond it."""
        return max(self.limit or ZERO, self.reach, self.spent + self.held, self.forecast or ZERO)

    @property
    def svg(self) -> SafeString:
        """The drawing: what is forecast stands faint behind what is spent, what is held follows it hatched."""
        spent, taken = self._at(self.spent), self._at(self.spent + self.held)
        parts = [
            element("defs", hatching(f"{self.id}-hatch", class_="ct-held")),
            element("rect", y=6, width=BAR_WIDTH, height=16, class_="ct-track"),
        ]
        if self.forecast is not None:
            parts.append(
                element("rect", y=6, width=self._at(self.forecast), height=16, class_=f"{self.class_} ct-ghost")
            )
        parts.append(element("rect", y=6, width=spent, height=16, class_=self.class_))
        if self.held > 0:
            parts.append(element("rect", x=spent, y=6, width=taken - spent, height=16, fill=f"url(#{self.id}-hatch)"))
        if self.limit is not None and self.top > self.limit:
            x = self._at(self.limit)
            parts.append(element("line", x1=x, x2=x, y1=0, y2=BAR_HEIGHT, class_="ct-limit"))
        parts += [self._tick(one) for one in self.ticks if ZERO < one.value <= self.top]
        return picture(*parts, title=self.title, width=BAR_WIDTH, height=BAR_HEIGHT, class_="ct-budget-bar")

    def _at(self, value: Decimal) -> Decimal:
        return position(value, of=self.top, length=BAR_WIDTH)

    def _tick(self, tick: Tick) -> SafeString:
        x = self._at(tick.value)
        line = element("line", x1=x, x2=x, y1=2, y2=BAR_HEIGHT - 2, class_="ct-tick")
        return element("g", element("title", format_html("{}", tick.title)), line)


def sparkline(values: Sequence[Decimal], *, title: str) -> SafeString:
    """A small line of how it went, with no scale but its own."""
    top = max([*values, ZERO])
    points = [
        f"{place(index, count=max(len(values) - 1, 1), length=LINE_WIDTH)},"
        f"{LINE_HEIGHT - 2 - position(value, of=top, length=LINE_HEIGHT - 4)}"
        for index, value in enumerate(values)
    ]
    line = element("polyline", points=" ".join(points), class_="ct-spark-line")
    return picture(joined([line]), title=title, width=LINE_WIDTH, height=LINE_HEIGHT, class_="ct-spark")
