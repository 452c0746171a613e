"""Cleaning of an event's metadata: always JSON, never deep, never big, and nothing in it ever raises."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from numbers import Integral, Rational, Real
from pathlib import PurePath
from typing import Any
from uuid import UUID

import orjson

from costtrack.exceptions import InvalidUsage

MAX_DEPTH = 8
MAX_KEY = 200
WALK_LIMIT = 16
"""Metadata of more than this many times the limit is not walked to its end, only to be dropped."""

_INT64 = 2**63


class _TooBig(Exception):
    """The walk has seen more than it will ever keep."""


def clean_metadata(value: object, max_bytes: int) -> dict[str, Any]:
    """`value` as JSON data of at most `max_bytes`; larger metadata is replaced by a note of its size.

    Decimals, dates, UUIDs and numbers that are not finite become text; bytes, foreign objects and what is nested
    deeper than 8 levels become a note (their text might be a whole response). Keys are data and nothing else.
    Raises InvalidUsage only if `value` is no mapping.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidUsage("metadata", type(value).__name__, "a mapping")
    if not value:
        return {}
    walk = _Walk(max_bytes * WALK_LIMIT)
    try:
        cleaned = walk.mapping(value, 1)
    except _TooBig:
        return {"_dropped": f"metadata of over {walk.limit:,} bytes; the limit is {max_bytes:,}"}
    size = len(orjson.dumps(cleaned))
    if size > max_bytes:
        return {"_dropped": f"metadata of {size:,} bytes; the limit is {max_bytes:,}"}
    return cleaned


class _Walk:
    """One pass through nested data that counts what it keeps, so that no input can make it run for long."""

    def __init__(self, limit: int) -> None:
        """Stop with _TooBig after about `limit` bytes."""
        self.limit = limit
        self.seen = 0

    def value(self, value: object, depth: int) -> Any:
        """One value, as JSON data."""
        self._count(1)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, Enum):
            return self.value(value.value, depth)
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Integral):
            number = int(value)
            return number if -_INT64 <= number < _INT64 else _note(number)
        if isinstance(value, Real) and not isinstance(value, Rational):
            real = float(value)
            return real if math.isfinite(real) else str(real)
        if isinstance(value, (Mapping, list, tuple, set, frozenset)):
            if depth >= MAX_DEPTH:
                return f"[nested deeper than {MAX_DEPTH} levels]"
            if isinstance(value, Mapping):
                return self.mapping(value, depth + 1)
            return [self.value(member, depth + 1) for member in value]
        return self.text(_note(value))

    def mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        """A mapping with its keys as texts."""
        cleaned: dict[str, Any] = {}
        for key, member in value.items():
            name = key if isinstance(key, str) else _note(key)
            cleaned[self.text(name[:MAX_KEY])] = self.value(member, depth)
        return cleaned

    def text(self, text: str) -> str:
        """The text without what PostgreSQL's JSON refuses: NUL and halves of surrogate pairs."""
        self._count(len(text))
        text = str.__str__(text)
        if "\x00" in text:
            text = text.replace("\x00", "")
        return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")

    def _count(self, size: int) -> None:
        self.seen += size
        if self.seen > self.limit:
            raise _TooBig


def _note(value: object) -> str:
    """What stands for a value that JSON has no form for."""
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, int) and abs(value) >= _INT64:
        return f"[an integer of {value.bit_length():,} bits]"
    if isinstance(value, (UUID, PurePath, timedelta, Decimal, int, float)):
        return str(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"[{len(value):,} bytes]"
    return "" if value is None else f"[{type(value).__qualname__}]"
