"""Cells and JSON values as the values of an event's fields. All raise InvalidUsage naming the field."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import orjson

from costtrack.domain.money import parse_decimal, parse_usd
from costtrack.exceptions import InvalidUsage

Convert = Callable[[str, Any], Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"\d{9,20}(?:\.\d{1,20})?")
_INSTANT = "an ISO 8601 time, or seconds or milliseconds since 1970"
_EARLIEST_EPOCH_SECONDS = 10**8
_UNITS = ((10**11, 1_000_000), (10**14, 1_000), (10**17, 1))
"""(below, microseconds in one): by its size a number is seconds, milliseconds or microseconds; above, nanoseconds."""


def instant(field: str, value: object, zone: tzinfo = UTC) -> datetime:
    """An aware UTC datetime from ISO 8601 text (any decimals; a naive one is in `zone`) or a number since 1970."""
    try:
        if isinstance(value, str):
            text = value.strip()
            if _NUMBER.fullmatch(text):
                return _since_1970(Decimal(text))
            if text.endswith(" UTC"):
                text = text[:-4] + "+00:00"
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is UTC:
                return moment
            return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return _since_1970(parse_decimal(field, value))
    except (ValueError, OverflowError):
        raise InvalidUsage(field, value, _INSTANT) from None
    raise InvalidUsage(field, value, _INSTANT)


def _since_1970(number: Decimal) -> datetime:
    if number < _EARLIEST_EPOCH_SECONDS:
        raise ValueError("too small for a time")
    for below, microseconds in _UNITS:
        if number < below:
            return _EPOCH + timedelta(microseconds=int(number * microseconds))
    return _EPOCH + timedelta(microseconds=int(number / 1_000))


def count(field: str, value: object) -> int:
    """A whole number; `374.0` is one, as spreadsheets and data frames write it."""
    if type(value) is int:
        return value
    if isinstance(value, str):
        value = value.strip()
        if len(value) <= 18 and value.isdecimal() and value.isascii():
            return int(value)
    number = parse_decimal(field, value)
    if number != number.to_integral_value():
        raise InvalidUsage(field, value, "a whole number")
    return int(number)


def number(field: str, value: object) -> Decimal:
    """A finite decimal number."""
    return parse_decimal(field, value.strip() if isinstance(value, str) else value)


def dollars(field: str, value: object) -> Decimal:
    """US dollars >= 0, at most 12 decimals."""
    return parse_usd(field, value.strip() if isinstance(value, str) else value)


def whole_milliseconds(field: str, value: object) -> int:
    """A number of milliseconds, rounded to a whole one."""
    return int(number(field, value).to_integral_value(ROUND_HALF_EVEN))


def text(field: str, value: object) -> str:
    """Text without blanks around it; a JSON number as its digits."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    raise InvalidUsage(field, value, "text")


def json_object(field: str, value: object) -> dict[str, Any]:
    """A JSON object, given as one or as text."""
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            raise InvalidUsage(field, value, "a JSON object") from None
    if not isinstance(value, dict):
        raise InvalidUsage(field, value, "a JSON object")
    return value


def tags(field: str, value: object) -> dict[str, str]:
    """A JSON object whose values are taken as text."""
    return {key: _tag(one) for key, one in json_object(field, value).items() if one is not None}


def _tag(value: object) -> str:
    if isinstance(value, str):
        return value
    return orjson.dumps(value).decode()


def mapping_or_empty(value: object) -> Mapping[str, Any]:
    """`value` if it is a JSON object, also one written as text; else an empty one. Never raises."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return {}
    return value if isinstance(value, dict) else {}
