"""What a period cost by one or two dimensions, in parts of it, beside the period before: a `Summary`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.db.models import QuerySet

from costtrack.conf import settings
from costtrack.domain.periods import DayRange, day_range, month_range, week_range
from costtrack.models import DailyCostSummary
from costtrack.reporting.figures import ROUNDING, Figures, Sums, added, figures_of, rounded, sums_reader
from costtrack.reporting.summary_figures import ALWAYS_SHOWN, sums_of
from costtrack.reporting.summary_query import GROUPED_BY, SummedCell, summed_cells

GROUPINGS = tuple(GROUPED_BY)
"""What a summary can group by, and be filtered by."""
RATIO_PLACES = 4
NOTHING = Figures()


class Granularity(StrEnum):
    """How long the parts of a period are."""

    DAY = "day"
    WEEK = "week"
    """From Monday to Sunday."""
    MONTH = "month"


RANGES = {Granularity.DAY: day_range, Granularity.WEEK: week_range, Granularity.MONTH: month_range}


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryQuestion:
    """What is asked for."""

    days: DayRange
    group_by: tuple[str, ...] = ()
    """None, one or two of GROUPINGS."""
    granularity: Granularity | None = None
    """None: the period is one part."""
    previous: DayRange | None = None
    """The days before, to compare with; they end where `days` begin."""
    limit: int = 100
    """How many groups are shown; the others are summed up."""
    figures: tuple[str, ...] = ALWAYS_SHOWN
    """Names of SHOWN_FIGURES; those that are not asked for are 0."""
    is_of_one_resource_type: bool = False
    """Whether all of it is, so that amounts can be added up; groups by resource type are by themselves."""

    @property
    def span(self) -> DayRange:
        """The days that are read."""
        return DayRange(self.days.start if self.previous is None else self.previous.start, self.days.end)

    def parts(self) -> tuple[DayRange, ...]:
        """The parts of the period, in order. They tile it, so the first and the last may be shorter than the others."""
        if self.granularity is None:
            return (self.days,)
        return tuple(parts_of(self.days, self.granularity))


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryGroup:
    """One group, or all groups past the limit together."""

    names: tuple[str, ...]
    """The value of each dimension; none for the groups past the limit."""
    figures: Figures
    previous: Figures | None
    """In the period before; None: it is not compared."""
    parts: Sequence[Figures]
    """In each part of the period."""


@dataclass(frozen=True, slots=True)
class PartFigures(Sequence[Figures]):
    """The figures of each part of a period, made when they are looked at: there may be thousands of them."""

    names: tuple[str, ...]
    """Which sums there are."""
    sums: Sequence[Sums | None]
    """Of each part; None: there is no usage in it."""

    def __len__(self) -> int:
        return len(self.sums)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return PartFigures(self.names, self.sums[index])
        sums = self.sums[index]
        return NOTHING if sums is None else figures_of(self.names, sums)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The answer. The groups, with the others, add up to the total, in each part, too."""

    question: SummaryQuestion
    parts: tuple[DayRange, ...]
    total: SummaryGroup
    groups: tuple[SummaryGroup, ...]
    """Dearest first, equal ones by name; also those that were used in the period before only. None: not grouped."""
    other: SummaryGroup | None
    """The groups past the limit; None: there are none."""

    @property
    def cost_change(self) -> Decimal | None:
        """Cost minus cost of the period before; None where either is unknown, or it is not compared."""
        before = None if self.total.previous is None else self.total.previous.known_cost_usd
        now = self.total.figures.known_cost_usd
        return None if before is None or now is None else now - before

    @property
    def cost_change_ratio(self) -> Decimal | None:
        """The change by the cost of the period before, at 4 decimals, half-even; None where that was 0 or less."""
        change, before = self.cost_change, self.total.previous
        if change is None or before is None or before.cost_usd <= 0:
            return None
        return rounded(ROUNDING.divide(change, before.cost_usd), places=RATIO_PLACES)


@dataclass(slots=True)
class _Found:
    """A group while it is read."""

    names: tuple[str, ...]
    previous: Sums | None
    parts: dict[int, Sums] = field(default_factory=dict)


def cost_summary(question: SummaryQuestion, rows: QuerySet[DailyCostSummary]) -> Summary:
    """The summary of these rows, which are those of `question.span`, scoped and filtered (one query).

    They are told by all that they are grouped and filtered by. Days, and so weeks and months, are local ones
    of each row's own organization.
    """
    names, parts = sums_of(question.figures), question.parts()
    cells = summed_cells(
        rows,
        since=question.days.start,
        granularity=question.granularity,
        group_by=question.group_by,
        sums=names,
        limit=question.limit,
        using=settings.database,
    )
    shown, others = _groups_of(cells, question, parts, names)
    groups = [_group(one, len(parts), names) for one in shown]
    groups.sort(key=lambda one: (-one.figures.cost_usd, one.names))
    return Summary(
        question=question,
        parts=parts,
        total=_group(_total([*shown, *([] if others is None else [others])], question, names), len(parts), names),
        groups=tuple(groups) if question.group_by else (),
        other=None if others is None else _group(others, len(parts), names),
    )


def period_before(days: DayRange) -> DayRange:
    """As many days just before; of whole calendar months as many months."""
    if days.start.day == 1 == days.end.day and days.start < days.end:
        months = (days.end.year - days.start.year) * 12 + days.end.month - days.start.month
        index = days.start.year * 12 + days.start.month - 1 - months
        return DayRange(date(index // 12, index % 12 + 1, 1), days.start)
    return DayRange(days.start - (days.end - days.start), days.start)


def parts_of(days: DayRange, granularity: Granularity) -> Iterable[DayRange]:
    """The days, weeks or months of a range, cut off where it begins and ends."""
    start = days.start
    while start < days.end:
        end = min(RANGES[granularity](start).end, days.end)
        yield DayRange(start, end)
        start = end


def _groups_of(
    cells: Iterable[SummedCell], question: SummaryQuestion, parts: Sequence[DayRange], names: tuple[str, ...]
) -> tuple[Collection[_Found], _Found | None]:
    """Those that are shown, and all others together."""
    read = sums_reader(names, using=settings.database)
    granularity = question.granularity
    called = [part.start if granularity is None else RANGES[granularity](part.start).start for part in parts]
    index_of: dict[date | str, int] = {}
    for index, day in enumerate(called):
        index_of[day] = index_of[day.isoformat()] = index
    nothing_before = None if question.previous is None else added((), names=names)
    found: dict[int | None, _Found] = {}
    for cell in cells:
        group = found.get(cell.place)
        if group is None:
            group = found[cell.place] = _Found(() if cell.place is None else tuple(cell.names), nothing_before)
        if cell.part is None:
            group.previous = read(cell.sums)
        else:
            group.parts[index_of[cell.part]] = read(cell.sums)
    others = found.pop(None, None)
    return found.values(), others


def _group(found: _Found, count: int, names: tuple[str, ...]) -> SummaryGroup:
    return SummaryGroup(
        names=found.names,
        figures=figures_of(names, added(found.parts.values(), names=names)),
        previous=None if found.previous is None else figures_of(names, found.previous),
        parts=PartFigures(names, [found.parts.get(index) for index in range(count)]),
    )


def _total(groups: Sequence[_Found], question: SummaryQuestion, names: tuple[str, ...]) -> _Found:
    before = added((one.previous for one in groups if one.previous is not None), names=names)
    in_parts: dict[int, list[Sums]] = {}
    for one in groups:
        for index, sums in one.parts.items():
            in_parts.setdefault(index, []).append(sums)
    return _Found(
        names=(),
        previous=None if question.previous is None else before,
        parts={index: added(sums, names=names) for index, sums in in_parts.items()},
    )
