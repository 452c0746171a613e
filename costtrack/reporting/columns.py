"""Columns: what the rows of a list have, declared once, for JSON, CSV, Parquet and the description of the API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from costtrack.domain.money import decimal_text
from costtrack.domain.periods import ZoneHistory
from costtrack.reporting.shapes import instant_text


class Kind(StrEnum):
    """What a column holds."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    """A Decimal of at most 12 places; in JSON a text."""
    BOOLEAN = "boolean"
    INSTANT = "instant"
    """An aware datetime; in JSON ISO 8601 with the offset of the answer's zone."""
    DAY = "day"
    """A date."""
    DATA = "data"
    """Lists and objects, as JSON has them."""


class Column(NamedTuple):
    """One column. `value` takes it from a row, of whatever kind the list's rows are."""

    name: str
    kind: Kind
    value: Callable[[Any], Any]
    is_nullable: bool = False
    about: str = ""
    """What it means, where its name does not say."""
    choices: tuple[str, ...] = ()
    """All texts that it can be, where they are few."""


def column_shape(columns: Sequence[Column], row: Any, *, zone: ZoneHistory) -> dict[str, Any]:
    """The row as an object for JSON."""
    return {column.name: json_value(column.kind, column.value(row), zone=zone) for column in columns}


def json_value(kind: Kind, value: Any, *, zone: ZoneHistory) -> Any:
    """A value as JSON has it; None stays None."""
    if value is None:
        return None
    if kind is Kind.DECIMAL:
        assert isinstance(value, Decimal)
        return decimal_text(value)
    if kind is Kind.INSTANT:
        assert isinstance(value, datetime)
        return instant_text(value, zone=zone)
    if kind is Kind.DAY:
        assert isinstance(value, date)
        return value.isoformat()
    return value
