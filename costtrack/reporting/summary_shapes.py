"""A summary as plain values: nested for JSON, flat for exports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from costtrack.domain.periods import DayRange, ZoneHistory
from costtrack.reporting.columns import Column, Kind
from costtrack.reporting.figures import Figures
from costtrack.reporting.shapes import cost_text
from costtrack.reporting.summary import Summary, SummaryGroup
from costtrack.reporting.summary_figures import AMOUNT, SHOWN_FIGURES

Shape = dict[str, Any]


class SummaryRow(NamedTuple):
    """A row of the flat table: one group in one part of the period."""

    days: DayRange
    names: Sequence[str | None]
    """All None: the groups past the limit."""
    figures: Figures
    has_amount: bool


def summary_shape(summary: Summary, *, zone: ZoneHistory) -> Shape:
    """The whole answer; `period_end` and `end` are exclusive. `buckets` is null without a granularity."""
    question = summary.question
    of_group = _shaper(question.figures)
    # Groups by resource type have an amount each, what adds up several of them has none.
    of_sum = of_group if question.is_of_one_resource_type else _shaper(question.figures, has_amount=False)
    other = summary.other
    return {
        **_edges("period_", question.days, zone=zone),
        "granularity": None if question.granularity is None else question.granularity.value,
        "group_by": list(question.group_by),
        "total": of_sum(summary.total.figures),
        "previous": _previous(summary, of_sum, zone=zone),
        "change": _change(summary),
        "groups": [
            {**dict(zip(question.group_by, one.names, strict=True)), **_compared(one, of_group)}
            for one in summary.groups
        ],
        "other": None if other is None else _compared(other, of_sum),
        "buckets": None if question.granularity is None else _buckets(summary, of_group, of_sum, zone=zone),
    }


def summary_table(summary: Summary) -> tuple[Sequence[Column], Iterator[SummaryRow]]:
    """One row for each part of the period and each group, then one for the groups past the limit, without names."""
    question = summary.question
    columns = [
        Column("start", Kind.DAY, lambda row: row.days.start),
        Column("end", Kind.DAY, lambda row: row.days.end, about="Exclusive."),
        *(_name_column(dimension, place) for place, dimension in enumerate(question.group_by)),
        *(_figure_column(name) for name in question.figures),
    ]
    return columns, _rows(summary)


def _rows(summary: Summary) -> Iterator[SummaryRow]:
    question = summary.question
    groups = summary.groups if question.group_by else (summary.total,)
    for index, days in enumerate(summary.parts):
        for one in groups:
            yield SummaryRow(days, one.names, one.parts[index], has_amount=True)
        if summary.other is not None:
            names = (None,) * len(question.group_by)
            yield SummaryRow(days, names, summary.other.parts[index], has_amount=question.is_of_one_resource_type)


def _name_column(dimension: str, place: int) -> Column:
    about = "Empty: the groups past the limit, summed up."
    return Column(dimension, Kind.TEXT, lambda row: row.names[place], is_nullable=True, about=about)


def _figure_column(name: str) -> Column:
    column = SHOWN_FIGURES[name].column
    if name == AMOUNT:
        return column._replace(value=lambda row: column.value(row.figures) if row.has_amount else None)
    return column._replace(value=lambda row: column.value(row.figures))


def _shaper(names: Sequence[str], *, has_amount: bool = True) -> Callable[[Figures], Shape]:
    """What makes figures an object of these names."""
    shown = [SHOWN_FIGURES[name] for name in names]
    decimals = [one.name for one in shown if one.kind is Kind.DECIMAL]
    # One name more, because of a single one attrgetter makes no tuple.
    values = attrgetter(*(one.attribute for one in shown), "calls")

    def shape(figures: Figures) -> Shape:
        shaped: Shape = dict(zip(names, values(figures), strict=False))
        for name in decimals:
            shaped[name] = cost_text(shaped[name])
        if not has_amount and AMOUNT in shaped:
            shaped[AMOUNT] = None
        return shaped

    return shape


def _compared(group: SummaryGroup, shape: Callable[[Figures], Shape]) -> Shape:
    return {**shape(group.figures), "previous": None if group.previous is None else shape(group.previous)}


def _previous(summary: Summary, shape: Callable[[Figures], Shape], *, zone: ZoneHistory) -> Shape | None:
    days, figures = summary.question.previous, summary.total.previous
    if days is None or figures is None:
        return None
    return {**_edges("period_", days, zone=zone), **shape(figures)}


def _change(summary: Summary) -> Shape | None:
    if summary.total.previous is None:
        return None
    return {"cost": cost_text(summary.cost_change), "ratio": cost_text(summary.cost_change_ratio)}


def _buckets(
    summary: Summary, of_group: Callable[[Figures], Shape], of_sum: Callable[[Figures], Shape], *, zone: ZoneHistory
) -> list[Shape]:
    starts = [zone.start_of(part.start).isoformat() for part in summary.parts]
    ends = [*starts[1:], zone.start_of(summary.question.days.end).isoformat()]
    return [
        {
            "start": starts[index],
            "end": ends[index],
            **of_sum(summary.total.parts[index]),
            "groups": [of_group(one.parts[index]) for one in summary.groups],
            "other": None if summary.other is None else of_sum(summary.other.parts[index]),
        }
        for index in range(len(summary.parts))
    ]


def _edges(prefix: str, days: DayRange, *, zone: ZoneHistory) -> Shape:
    return {
        f"{prefix}start": zone.start_of(days.start).isoformat(),
        f"{prefix}end": zone.start_of(days.end).isoformat(),
    }
