"""Pages of long lists: each begins after the last row's key, so that no row is skipped or repeated."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple, TypeVar

import orjson
from django.core.exceptions import ValidationError
from django.db.models import BooleanField, F, Field, Func, Model, Q, QuerySet, Value

from costtrack.reporting.parameters import InvalidParameter

Row = TypeVar("Row", bound=Model)

LONGEST_CURSOR = 500
A_CURSOR = "the cursor of a page's `next`"

Place = Sequence[Any]
"""The values of a key: where a row stands in the order."""
Horizon = Callable[[Place | None, int], Place | None]
"""How far a page looks that begins after a place (None: at the first row) and has at most so many rows.

The place of the last row that it looks at, whether that one is on the page or not; None: as far as it needs to.
"""


class Key(NamedTuple):
    """What a list is ordered by: fields of the model that together are unique, all up or all down."""

    fields: tuple[str, ...]
    is_descending: bool = True

    @property
    def ordering(self) -> tuple[str, ...]:
        """For order_by."""
        return tuple(f"-{name}" if self.is_descending else name for name in self.fields)

    def of(self, row: Model) -> tuple[Any, ...]:
        """The row's values of it."""
        return tuple(getattr(row, name) for name in self.fields)


class Page(NamedTuple):
    """Some rows, and the cursor of the page after; None: it is the last."""

    rows: Sequence[Any]
    next_cursor: str | None


def page_of(rows: QuerySet[Row], key: Key, *, cursor: str | None, size: int, horizon: Horizon | None = None) -> Page:
    """The page of at most `size` rows after the cursor, the first without one. Raises InvalidParameter.

    One that ends at its horizon has fewer rows, or none, and is not the last.
    """
    after = None if cursor is None else _values_in(cursor, key, rows.model)
    found, following = _stretch(rows, key, after=after, size=size, horizon=horizon)
    return Page(found, None if following is None else _cursor_of(following))


def chunks_of(rows: QuerySet[Row], key: Key, *, size: int, horizon: Horizon | None = None) -> Iterator[Sequence[Row]]:
    """All rows in order, at most `size` at a time, each chunk by a query of its own: no server's cursor stays open."""
    after: Place | None = None
    while True:
        found, after = _stretch(rows, key, after=after, size=size, horizon=horizon)
        if found:
            yield found
        if after is None:
            return


def _stretch(
    rows: QuerySet[Row], key: Key, *, after: Place | None, size: int, horizon: Horizon | None
) -> tuple[Sequence[Row], Place | None]:
    """At most `size` rows after a place, and the place that the next ones come after; None: there are no more."""
    last = None if horizon is None else horizon(after, size)
    if after is not None:
        rows = rows_after(rows, key, after)
    if last is not None:
        rows = _up_to(rows, key, last)
    found = list(rows.order_by(*key.ordering)[: size + 1])
    return (found[:size], key.of(found[size - 1])) if len(found) > size else (found, last)


def rows_after(rows: QuerySet[Row], key: Key, place: Place) -> QuerySet[Row]:
    """The rows that come after the one with these values of the key.

    As one comparison of rows, (a, b) < (x, y): the databases begin with it in the middle of an index, which they do not
    with a < x OR (a = x AND b < y).
    """
    fields = zip(key.fields, place, strict=True)
    values = [Value(value, output_field=_field(rows.model, name)) for name, value in fields]
    compared = Func(
        *(Func(*side, template="(%(expressions)s)") for side in ([F(name) for name in key.fields], values)),
        template="%(expressions)s",
        arg_joiner=" < " if key.is_descending else " > ",
        output_field=BooleanField(),
    )
    # The second says nothing more, but by it PostgreSQL leaves out partitions.
    return rows.filter(compared, **{f"{key.fields[0]}__{'lte' if key.is_descending else 'gte'}": place[0]})


def _up_to(rows: QuerySet[Row], key: Key, place: Place) -> QuerySet[Row]:
    """The rows up to the one with these values of the key, and that one.

    Not as one comparison of rows: where the first column has a bound already, PostgreSQL 18 then reads the index of
    every organization from its beginning.
    """
    before = "gt" if key.is_descending else "lt"
    is_before, is_same = Q(), Q()
    for name, value in zip(key.fields, place, strict=True):
        is_before |= is_same & Q(**{f"{name}__{before}": value})
        is_same &= Q(**{name: value})
    return rows.filter(is_before | is_same, **{f"{key.fields[0]}__{before}e": place[0]})


def _cursor_of(values: Sequence[Any]) -> str:
    # orjson writes dates and instants as texts, from which the fields read them.
    return base64.urlsafe_b64encode(orjson.dumps(values)).decode().rstrip("=")


def _values_in(cursor: str, key: Key, model: type[Model]) -> list[Any]:
    """The values that a cursor holds, each such as its field can have."""
    bad = InvalidParameter("cursor", cursor, A_CURSOR)
    if not 0 < len(cursor) <= LONGEST_CURSOR or not cursor.isascii():
        raise bad
    try:
        given = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        raise bad from None
    if not isinstance(given, list) or len(given) != len(key.fields):
        raise bad
    values = []
    for name, one in zip(key.fields, given, strict=True):
        if isinstance(one, bool) or not isinstance(one, (int, str)) or (isinstance(one, str) and "\x00" in one):
            raise bad
        field = _field(model, name)
        try:
            value = field.to_python(one)
            field.run_validators(value)
        except (ValidationError, OverflowError, ValueError):
            raise bad from None
        if isinstance(value, datetime) and value.tzinfo is None:
            raise bad
        if isinstance(value, (date, datetime)) and not 1970 <= value.year <= 9000:
            raise bad
        values.append(value)
    return values


def _field(model: type[Model], name: str) -> Field[Any, Any]:
    field = model._meta.get_field(name)
    assert isinstance(field, Field)
    return field
