"""The one statement of a summary: sums per group and part of the period, the groups past the limit together.

The database brings the groups into their order and sums up those that are not shown, so that what comes back is
bounded, however many agents there are; and as it is one statement, the parts always add up to the whole. Where there
are few groups anyway, as of models, that is left out: it would take a quarter of the time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import Case, DateField, F, QuerySet, Sum, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Coalesce, NullIf, TruncMonth, TruncWeek

from costtrack.models import DailyCostSummary
from costtrack.reporting.costs import DIMENSIONS
from costtrack.reporting.figures import SQLITE_PLACES
from costtrack.reporting.shown_model import SHOWN_MODEL
from costtrack.reporting.wording import NO_NAME

NOBODY = 0
"""Stands for the id of the project or agent that usage does not have."""


def _shown(dimension: str, column: str) -> Combinable:
    if dimension == "model":
        return SHOWN_MODEL
    if column.endswith("_id"):
        return Coalesce(F(column), Value(NOBODY))
    return Coalesce(NullIf(F(column), Value("")), Value(NO_NAME))


GROUPED_BY = {name: _shown(name, column) for name, column in DIMENSIONS.items() if name != "day"}
"""The dimensions of a summary, each with what it groups by: an id, or the text that is shown."""

NAMES = {
    "organization": "(SELECT slug FROM costtrack_organization WHERE id = {key})",
    "project": """(SELECT o.slug || '/' || p.slug FROM costtrack_project p
        JOIN costtrack_organization o ON o.id = p.organization_id WHERE p.id = {key})""",
    "agent": """(SELECT o.slug || '/' || p.slug || '/' || a.slug FROM costtrack_agent a
        JOIN costtrack_project p ON p.id = a.project_id
        JOIN costtrack_organization o ON o.id = p.organization_id WHERE a.id = {key})""",
}
"""SQL for the name of an id; a text is its own."""

FEW_BY_NATURE = {"provider", "model", "resource_type"}
"""Dimensions with so few values, in most organizations, that all of them may come back."""
FEW_GROUPS, FEW_CELLS = 100, 10_000
"""Whoever asks for fewer groups than that wants the dearest."""

PARTS: Mapping[str, Combinable] = {
    "day": F("day"),
    "week": Cast(TruncWeek("day"), DateField()),
    "month": Cast(TruncMonth("day"), DateField()),
}
"""Which day a part of the period is called by: its first, also where the period begins later."""


class SummedCell(NamedTuple):
    """The sums of one group in one part of the period, or in the period before."""

    part: date | str | None
    """The day that it is called by, on SQLite as text; None: it is the period before."""
    place: int | None
    """A number of the group's own; None: all groups past the limit."""
    names: Sequence[str]
    sums: Sequence[Any]
    """In the order that was asked for, as the database has them."""


def summed_cells(
    rows: QuerySet[DailyCostSummary],
    *,
    since: date,
    granularity: str | None,
    group_by: Sequence[str],
    sums: Sequence[str],
    limit: int,
    using: str,
) -> Iterator[SummedCell]:
    """The cells that have usage, in no order. Rows before `since` are of the period before.

    One query; two if few groups were expected and there are many. `sums` holds `cost_usd`, which the groups are ordered
    by, then by their names; without `granularity` the period is one part, called by its first day.
    """
    connection = connections[using]
    part = Value(since, output_field=DateField()) if granularity is None else PARTS[granularity]
    keys = {f"key_{index}": GROUPED_BY[dimension] for index, dimension in enumerate(group_by)}
    cells = rows.order_by().values(part=Case(When(day__gte=since, then=part), output_field=DateField()), **keys)
    cells = cells.annotate(**{f"sum_{name}": Sum(name) for name in sums})
    try:
        statement, parameters = cells.query.get_compiler(using=using).as_sql()
    except EmptyResultSet:
        return iter(())
    if group_by and limit >= FEW_GROUPS and FEW_BY_NATURE.issuperset(group_by):
        few = _few(statement, parameters, len(group_by), sums, limit=limit, using=using)
        if few is not None:
            return few
    if group_by:
        statement = _limited(statement, group_by, sums, vendor=connection.vendor)
        parameters = (*parameters, limit)
    else:
        statement = f"SELECT part, 1, {_columns('sum_', sums)} FROM ({statement}) cells"
    first_sum = 2 + len(group_by)
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        found = cursor.fetchall()
    return (SummedCell(row[0], row[1], row[2:first_sum], row[first_sum:]) for row in found)


def _few(
    cells: str, parameters: Sequence[Any], dimensions: int, sums: Sequence[str], *, limit: int, using: str
) -> Iterator[SummedCell] | None:
    """All cells; None if there are more groups than the limit, or very many cells."""
    keys = ", ".join(f"key_{number}" for number in range(dimensions))
    statement = f"SELECT part, {keys}, {_columns('sum_', sums)} FROM ({cells}) cells LIMIT {FEW_CELLS + 1}"
    with connections[using].cursor() as cursor:
        cursor.execute(statement, parameters)
        found = cursor.fetchall()
    first_sum = 1 + dimensions
    places = {names: place for place, names in enumerate(dict.fromkeys(row[1:first_sum] for row in found), 1)}
    if len(found) > FEW_CELLS or len(places) > limit:
        return None
    return (SummedCell(row[0], places[row[1:first_sum]], row[1:first_sum], row[first_sum:]) for row in found)


def _limited(cells: str, group_by: Sequence[str], sums: Sequence[str], *, vendor: str) -> str:
    numbers = range(len(group_by))
    keys = ", ".join(f"key_{number}" for number in numbers)
    names = [_name(dimension, f"key_{number}") for number, dimension in enumerate(group_by)]
    cost = "sum(CASE WHEN part IS NULL THEN 0 ELSE sum_cost_usd END)"
    if vendor == "sqlite":
        cost = f"round({cost}, {SQLITE_PLACES})"  # equal costs may differ in the last digit of their floats
    by_code_point = 'COLLATE "C"' if vendor == "postgresql" else "COLLATE BINARY"
    order = ", ".join(f"name_{number} {by_code_point}" for number in numbers)
    return f"""
        WITH cells AS ({cells}),
        named AS (
            SELECT {keys}, {cost} AS cost, {", ".join(f"{name} AS name_{number}" for number, name in enumerate(names))}
            FROM cells GROUP BY {keys}
        ),
        placed AS (SELECT *, row_number() OVER (ORDER BY cost DESC, {order}, {keys}) AS place FROM named)
        SELECT part, CASE WHEN place <= %s THEN place END, {", ".join(f"min(name_{number})" for number in numbers)},
            {", ".join(f"sum(sum_{name})" for name in sums)}
        FROM cells JOIN placed USING ({keys}) GROUP BY 1, 2
    """


def _name(dimension: str, key: str) -> str:
    return f"coalesce({NAMES[dimension].format(key=key)}, '{NO_NAME}')" if dimension in NAMES else key


def _columns(prefix: str, names: Sequence[str]) -> str:
    return ", ".join(f"{prefix}{name}" for name in names)
