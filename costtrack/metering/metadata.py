"""Cleaning of an event's metadata: always JSON, never deep, never big, no secret or prompt in it; it never raises."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from numbers import Integral, Rational, Real
from pathlib import PurePath
from typing import Any
from uuid import UUID

import orjson

from costtrack.exceptions import InvalidUsage
from costtrack.metering.card_numbers import CARD, is_card_number
from costtrack.metering.metadata_names import Told, told_by
from costtrack.metering.named_values import SECRET, not_stored
from costtrack.metering.redaction import redact_text, text_under

MAX_DEPTH = 8
MAX_KEY = 200
MAX_KEYS = 200
"""Of all levels together."""
LONGEST_WORD = 40
"""Its bytes are below any limit."""
WALK_LIMIT = 2
"""Metadata of more than this many times the limit is not walked to its end, only to be dropped."""

_INT64 = 2**63
_SMALLEST_CARD = 10**12
_NOTHING = Told.NOTHING


class _TooBig(Exception):
    """The walk has seen more than it will ever keep."""


def clean_metadata(value: object, max_bytes: int) -> dict[str, Any]:
    """`value` as JSON data of at most `max_bytes`; larger metadata is replaced by a note of its size.

    Secrets, e-mail addresses and card numbers become notes, in texts and keys too, as does what a model read or wrote:
    what stands under a name such as `prompt`, but for numbers. Of all keys the first 200 stay. Decimals, dates, UUIDs
    and numbers that are not finite become text; bytes, foreign objects and what is nested deeper than 8 levels become
    a note (their text might be a whole response). Keys are data and nothing else. Cleaning it again changes nothing.
    Raises InvalidUsage only if `value` is no mapping.
    """
    if value is None:
        return {}
    if type(value) is not dict and not isinstance(value, Mapping):
        raise InvalidUsage("metadata", type(value).__name__, "a mapping")
    if not value:
        return {}
    walk = _Walk(max_bytes * WALK_LIMIT, MAX_KEYS + ("_dropped" in value))
    try:
        cleaned = walk.mapping(value, 1)
    except _TooBig:
        return {"_dropped": f"metadata of over {walk.limit:,} bytes; the limit is {max_bytes:,}"}
    if walk.keys_dropped:
        cleaned["_dropped"] = f"keys beyond the first {MAX_KEYS}: {walk.keys_dropped:,}"
    size = len(orjson.dumps(cleaned))
    if size > max_bytes:
        return {"_dropped": f"metadata of {size:,} bytes; the limit is {max_bytes:,}"}
    return cleaned


def is_clean_word(value: object) -> bool:
    """Whether metadata is nothing, or nothing but one word that stays as it is, such as why a model stopped."""
    if type(value) is not dict or len(value) != 1:
        return value == {}
    ((name, word),) = value.items()
    return type(name) is type(word) is str and len(name) + len(word) <= LONGEST_WORD and _stays(name, word)


@lru_cache(maxsize=1024)
def _stays(name: str, word: str) -> bool:
    """There are few such words: they are looked at once."""
    return clean_metadata({name: word}, 4 * LONGEST_WORD) == {name: word}


class _Walk:
    """One pass through nested data that counts what it keeps, so that no input can make it run for long."""

    def __init__(self, limit: int, keys: int) -> None:
        """Stop with _TooBig after about `limit` bytes; take so many `keys`."""
        self.limit = limit
        self.seen = 0
        self.keys_left = keys
        self.keys_dropped = 0

    def mapping(self, value: Mapping[Any, Any], depth: int, around: Told = _NOTHING) -> dict[str, Any]:
        """A mapping with its keys as texts; `around` is what the names around it tell, where its own tell nothing."""
        cleaned: dict[str, Any] = {}
        for taken, (key, member) in enumerate(value.items()):
            if not self.keys_left:
                self.keys_dropped += len(value) - taken
                break
            self.keys_left -= 1
            name, told = _name(key) if type(key) is str and len(key) <= MAX_KEY else _long_name(key)
            if name in cleaned:
                name = _another(name, cleaned)
            if told is _NOTHING and around is _NOTHING:
                cleaned[name] = self.value(member, depth)
            else:
                cleaned[name] = self.told_value(around if told is _NOTHING else told, member, depth)
        return cleaned

    def value(self, value: object, depth: int, around: Told = _NOTHING) -> Any:
        """One value, as JSON data."""
        kind = type(value)
        if kind is str:
            return self.text(value)  # type: ignore[arg-type]
        self._count(1)
        if value is None or kind is bool:
            return value
        if kind is int or kind is float:
            return _number(value)  # type: ignore[arg-type]
        if isinstance(value, Enum):
            return self.value(value.value, depth)
        if isinstance(value, str):
            return self.text(str.__str__(value))
        if isinstance(value, Integral):
            return _number(int(value))
        if isinstance(value, Real) and not isinstance(value, Rational):
            return _number(float(value))
        if isinstance(value, (Mapping, list, tuple, set, frozenset)):
            if depth >= MAX_DEPTH:
                return f"[nested deeper than {MAX_DEPTH} levels]"
            if isinstance(value, Mapping):
                return self.mapping(value, depth + 1, around)
            return [self.value(member, depth + 1) for member in value]
        return self.text(_note(value))

    def told_value(self, told: Told, value: object, depth: int) -> Any:
        """A value under a name that tells of a secret or of content: numbers stay under the latter, flags always."""
        if isinstance(value, str):
            return text_under(told, str.__str__(value))
        if value is None or isinstance(value, bool):
            return value
        is_mapping = isinstance(value, Mapping)
        if is_mapping or isinstance(value, (list, tuple, set, frozenset)):
            size = len(value)  # type: ignore[arg-type]
            if size and told is Told.SECRET:
                return SECRET
            if size and not (is_mapping and told is Told.PERHAPS_CONTENT):
                return not_stored(size, "field" if is_mapping else "item")
        elif told is Told.SECRET:
            return SECRET
        kept = self.value(value, depth, told)
        return text_under(told, kept) if isinstance(kept, str) else kept

    def text(self, text: str) -> str:
        """The text redacted, and without what PostgreSQL's JSON refuses: NUL and halves of surrogate pairs."""
        self._count(len(text))
        return redact_text(_storable(text))

    def _count(self, size: int) -> None:
        self.seen += size
        if self.seen > self.limit:
            raise _TooBig


def _storable(text: str) -> str:
    if "\x00" in text:
        text = text.replace("\x00", "")
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


@lru_cache(maxsize=1024)
def _name(key: str) -> tuple[str, Told]:
    """A key as it is stored, and what it tells of its value."""
    name = redact_text(_storable(key))[:MAX_KEY]
    return name, told_by(name)


def _long_name(key: object) -> tuple[str, Told]:
    name = str.__str__(key) if isinstance(key, str) else _note(key)
    return _name.__wrapped__(name[: 4 * MAX_KEY])


def _another(name: str, taken: Mapping[str, Any]) -> str:
    """A name that is not taken: two keys may be the same once they are cut or redacted."""
    number = 2
    while f"{name} ({number})" in taken:
        number += 1
    return f"{name} ({number})"


def _number(number: int | float) -> int | float | str:
    if isinstance(number, float):
        return number if math.isfinite(number) else str(number)
    if not -_INT64 <= number < _INT64:
        return _note(number)
    return CARD if number >= _SMALLEST_CARD and is_card_number(str(number)) else number


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
