"""Pages of long lists: each begins after the last row's key, so that no row is skipped or repeated."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple, TypeVar

import orjson
from django.core.exceptions import ValidationError
from django.db.models import Field, Model, Q, QuerySet

from costtrack.reporting.parameters import InvalidParameter

Row = TypeVar("Row", bound=Model)

LONGEST_CURSOR = 500
A_CURSOR = "the cursor of a page's `next`"


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


def page_of(rows: QuerySet[Row], key: Key, *, cursor: str | None, size: int) -> Page:
    """The page of at most `size` rows after the cursor, the first without one. Raises InvalidParameter."""
    if cursor is not None:
        rows = rows_after(rows, key, _values_in(cursor, key, rows.model))
    found = list(rows.order_by(*key.ordering)[: size + 1])
    is_last = len(found) <= size
    return Page(found[:size], None if is_last else _cursor_of(key.of(found[size - 1])))


def chunks_of(rows: QuerySet[Row], key: Key, *, size: int) -> Iterator[Sequence[Row]]:
    """All rows in order, `size` at a time, each chunk by a query of its own: no cursor of the server's stays open."""
    following = rows.order_by(*key.ordering)
    while chunk := list(following[:size]):
        yield chunk
        if len(chunk) < size:
            return
        following = rows_after(rows, key, key.of(chunk[-1])).order_by(*key.ordering)


def rows_after(rows: QuerySet[Row], key: Key, values: Sequence[Any]) -> QuerySet[Row]:
    """The rows that come after the one with these values of the key."""
    beyond = "lt" if key.is_descending else "gt"
    after = Q()
    for place, name in enumerate(key.fields):
        same = dict(zip(key.fields[:place], values, strict=False))
        after |= Q(**same, **{f"{name}__{beyond}": values[place]})
    # Says nothing more, but lets the database begin in the index, and leave out partitions.
    return rows.filter(after, **{f"{key.fields[0]}__{beyond}e": values[0]})


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
        field = model._meta.get_field(name)
        assert isinstance(field, Field)
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
