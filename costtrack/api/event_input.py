"""Events as JSON objects, checked: the fields of `record_usage`, by its names, become those of `build_event`."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import orjson

from costtrack.domain.events import Outcome
from costtrack.domain.tokens import TOKEN_FIELDS
from costtrack.exceptions import CostTrackError, InvalidUsage
from costtrack.metering.attribution import MAX_LENGTHS
from costtrack.metering.errors import error_fields
from costtrack.metering.metadata import MAX_DEPTH
from costtrack.metering.record import NOT_TAKEN, OTHER_NAMES
from costtrack.reporting.parameters import shorten

Clean = Callable[[str, Any], Any]


class UnknownField(CostTrackError, ValueError):
    """An object has a field that nothing here knows: were a mistyped one left out, the usage would be another."""

    def __init__(self, field: str, hint: str) -> None:
        self.field = shorten(field, length=40)
        super().__init__(f"{self.field}: no such field.{hint}")


def text(field: str, value: object) -> str:
    """A text without NUL, or a whole number of 64 bits as its digits: to JSON 7.0 is one, too."""
    if isinstance(value, str):
        if "\x00" in value:
            raise InvalidUsage(field, value, "a text without NUL")
        return value.strip()
    if isinstance(value, float) and value.is_integer() and -(2**63) < value < 2**64:
        return str(int(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise InvalidUsage(field, value, "a text")


def flag(field: str, value: object) -> bool:
    """One of true and false."""
    if not isinstance(value, bool):
        raise InvalidUsage(field, value, "true or false")
    return value


def instant(field: str, value: object) -> datetime:
    """A time with its offset."""
    expected = "a time in ISO 8601 with its offset, such as 2026-11-26T09:30:00Z"
    if not isinstance(value, str) or len(value) > 64 or not value.isprintable():
        raise InvalidUsage(field, value, expected)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise InvalidUsage(field, value, expected) from None
    if moment.tzinfo is None:
        raise InvalidUsage(field, value, expected)
    return moment


def any_number(field: str, value: object) -> object:
    """A number, or one that is written as text: how large it may be is for `build_event` to say."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise InvalidUsage(field, value, "a number")
    return text(field, value) if isinstance(value, str) else value


def whole(field: str, value: object) -> object:
    """A number, not as text."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidUsage(field, value, "a whole number")
    return value


def json_object(field: str, value: object) -> Mapping[str, Any]:
    """An object of at most 8 levels, with NUL nowhere."""
    if not isinstance(value, dict):
        raise InvalidUsage(field, value, "a JSON object")
    _check_data(field, value, levels=MAX_DEPTH)
    return value


def tags(field: str, value: object) -> Mapping[str, str]:
    """An object of texts; numbers and booleans as JSON writes them."""
    if not isinstance(value, dict):
        raise InvalidUsage(field, value, "a JSON object of texts")
    return {text(field, name): _tag(f"{field}[{name}]", one) for name, one in value.items() if one is not None}


def entity(field: str, value: object) -> tuple[str, str]:
    """A type and an id."""
    if not isinstance(value, list) or len(value) != 2:
        raise InvalidUsage(field, value, 'a list of a type and an id, such as ["job", "42"]')
    return text(field, value[0]), text(field, value[1])


TEXTS = ("model", "provider", "gateway", "service_tier", "resource_type", "idempotency_key", "error")
ATTRIBUTION: dict[str, Clean] = {**dict.fromkeys(MAX_LENGTHS, text), "entity": entity, "tags": tags}
EVENT: dict[str, Clean] = {
    **dict.fromkeys(TEXTS, text),
    **dict.fromkeys(TOKEN_FIELDS, whole),
    **dict.fromkeys(("cost_usd", "amount", "saving_usd"), any_number),
    "saving_kind": text,
    "saving_basis": text,
    "occurred_at": instant,
    "latency_ms": whole,
    "success": flag,
    "is_estimated": flag,
    "metadata": json_object,
    **ATTRIBUTION,
}
"""What an event may say."""


def cleaned(
    given: object,
    known: Mapping[str, Clean],
    *,
    what: str = "event",
    keeps_null: bool = False,
    elsewhere: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The values of an object by their names; null is not given, unless it is kept for `known` to clean.

    Raises UnknownField, and InvalidUsage. `what` is what the object is called then; `elsewhere` says of fields that are
    not taken here where they are.
    """
    if not isinstance(given, dict):
        raise InvalidUsage(what, given, "a JSON object")
    for name in given:
        if name not in known:
            told = (elsewhere or {}).get(name)
            raise UnknownField(name, f" {told}" if told else _hint(name, known))
    return {name: known[name](name, value) for name, value in given.items() if keeps_null or value is not None}


def event_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """Cleaned values of an event under the names of `build_event`."""
    fields = dict(values)
    if "cost_usd" in fields:
        fields["reported_cost_usd"] = fields.pop("cost_usd")
    error = fields.pop("error", "")
    if not fields.pop("success", True) or error:
        fields["outcome"] = Outcome.ERROR
    if error:
        fields.update(error_fields(error))
    return fields


def _hint(name: str, known: Mapping[str, Clean]) -> str:
    if name in NOT_TAKEN:
        return f" {NOT_TAKEN[name]}"
    if OTHER_NAMES.get(name) in known:
        return f" Did you mean {OTHER_NAMES[name]}?"
    close = difflib.get_close_matches(name[:100], known, n=1)
    return f" Did you mean {close[0]}?" if close else f" The fields are {', '.join(sorted(known))}."


def _tag(field: str, value: object) -> str:
    return orjson.dumps(value).decode() if isinstance(value, (bool, float)) else text(field, value)


def _check_data(field: str, value: object, *, levels: int) -> None:
    if isinstance(value, str):
        if "\x00" in value:
            raise InvalidUsage(field, value, "data without NUL")
    elif isinstance(value, (dict, list)):
        if not levels:
            raise InvalidUsage(field, "something deeper", f"at most {MAX_DEPTH} levels")
        if isinstance(value, dict):
            for name in value:
                _check_data(field, name, levels=levels)
            value = list(value.values())
        for one in value:
            _check_data(field, one, levels=levels - 1)
