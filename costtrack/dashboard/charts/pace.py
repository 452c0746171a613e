"""How a budget went through its period: what is spent so far, beside an even pace towards the limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate

from django.utils.safestring import SafeString

from costtrack.dashboard.charts.drawing import element, picture, place, position, scale_steps, scale_top

WIDTH, HEIGHT = 1000, 200


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceChart:
    """Sums day by day, from the period's first day on."""

    id: str
    title: str
    days: Sequence[str]
    """What each day of the period is called, those to come, too."""
    spent: Sequence[Decimal]
    """Of each day up to now."""
    limit: Decimal
    forecast: Decimal | None
    written: Callable[[Decimal], str]

    @property
    def so_far(self) -> list[Decimal]:
        """What is spent up to the end of each day."""
        return list(accumulate(self.spent))

    @property
    def top(self) -> Decimal:
        """The end of the scale."""
        return scale_top(max([*self.so_far, self.limit, *([] if self.forecast is None else [self.forecast])]))

    @property
    def scale(self) -> list[str]:
        """The figures on the left, the highest first."""
        return [self.written(value) for value in scale_steps(self.top)]

    @property
    def labels(self) -> list[str]:
        """What stands below each day; "" below most where they are many."""
        every = -(-len(self.days) // 7)
        return [day if index % every == 0 else "" for index, day in enumerate(self.days)]

    @property
    def rows(self) -> list[tuple[str, str, str]]:
        """The table below: a day, what it cost, what is spent up to its end."""
        pairs = zip(self.days, self.spent, self.so_far, strict=False)
        return [(day, self.written(spent), self.written(so_far)) for day, spent, so_far in pairs]

    @property
    def svg(self) -> SafeString:
        """The drawing."""
        limit = self._y(self.limit)
        parts = [
            element("line", x1=0, x2=WIDTH, y1=y, y2=y, class_="ct-grid")
            for y in (position(step, of=Decimal(1), length=HEIGHT) for step in scale_steps(Decimal(1)))
        ]
        parts.append(element("line", x1=0, x2=WIDTH, y1=limit, y2=limit, class_="ct-limit"))
        parts.append(element("line", x1=0, x2=WIDTH, y1=HEIGHT, y2=limit, class_="ct-pace"))
        points = [
            (Decimal(0), Decimal(HEIGHT)),
            *((self._x(index), self._y(sum_)) for index, sum_ in enumerate(self.so_far, 1)),
        ]
        if self.forecast is not None and len(self.spent) < len(self.days):
            x, y = points[-1]
            parts.append(element("line", x1=x, x2=WIDTH, y1=y, y2=self._y(self.forecast), class_="ct-forecast-line"))
        parts.append(element("polyline", points=" ".join(f"{x},{y}" for x, y in points), class_="ct-spent-line"))
        return picture(*parts, title=self.title, width=WIDTH, height=HEIGHT, class_="ct-lines", id_=f"{self.id}-svg")

    def _x(self, index: int) -> Decimal:
        return place(index, count=len(self.days), length=WIDTH)

    def _y(self, value: Decimal) -> Decimal:
        return HEIGHT - position(value, of=self.top, length=HEIGHT)
