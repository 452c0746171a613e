"""A plan of what a run will cost: its figures, their fingerprint, and whether they pass its own caps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from costtrack.domain.money import decimal_text
from costtrack.exceptions import InvalidUsage

PLAN_ID_DIGITS = 12
MAX_DEPTH = 8
MAX_DATA_BYTES = 1 << 18
"""Of a selection, or of filters, as JSON: ids of many chunks fit, their text does not."""
LARGEST_WHOLE = 2**64 - 1


@dataclass(frozen=True, kw_only=True)
class PlanFigures:
    """What makes a plan this one and no other: the ten figures that its id is worked out from, and the filters.

    An estimate that nobody made is None, which is not 0.
    """

    stage: str = ""
    """What the plan is for; "" for the whole of a run."""
    selected_count: int | None = None
    """How many things (chunks, documents) it is about."""
    selection: Mapping[str, Any] = field(default_factory=dict)
    """Which ones, as JSON data of the caller's own: ids, chapters ..."""
    estimated_calls: int | None = None
    estimated_prompt_tokens: int | None = None
    estimated_total_tokens: int | None = None
    """Prompt and completion tokens."""
    estimated_cost_usd: Decimal | None = None
    cost_per_1k_tokens: Decimal | None = None
    """USD."""
    max_calls: int | None = None
    """The most calls that a run of it may make; None: there is no cap."""
    cost_cap: Decimal | None = None
    """The most that a run of it may cost, in USD; None: there is no cap."""
    filters: Mapping[str, Any] = field(default_factory=dict)
    """What narrowed the selection down, as JSON data."""

    @property
    def plan_id(self) -> str:
        """Its fingerprint: 12 hex digits of the SHA-256 of all figures as canonical JSON (keys sorted, no blanks)."""
        text = json.dumps(
            {name: _plain(value) for name, value in vars(self).items()},
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
            allow_nan=False,
        )
        return hashlib.sha256(text.encode()).hexdigest()[:PLAN_ID_DIGITS]


def exceeds(estimate: Decimal | int | None, cap: Decimal | int | None) -> bool | None:
    """Whether an estimate is above its cap; None where there is no estimate, or no cap."""
    return None if estimate is None or cap is None else estimate > cap


def json_data(name: str, value: object) -> dict[str, Any]:
    """`value` as an object of JSON data, tuples become lists; raises InvalidUsage naming what is none.

    At most 8 levels and 256 KiB. Money and dates are to be written as text, so that they are the same everywhere.
    """
    if not isinstance(value, Mapping):
        raise InvalidUsage(name, value, "an object of JSON data")
    data: dict[str, Any] = _json_value(name, value, levels=MAX_DEPTH)
    size = len(json.dumps(data, ensure_ascii=False).encode())
    if size > MAX_DATA_BYTES:
        raise InvalidUsage(name, f"{size:,} bytes", f"at most {MAX_DATA_BYTES:,} bytes as JSON: ids, not texts")
    return data


def _json_value(name: str, value: object, *, levels: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        if "\x00" in value or not _is_unicode(value):
            raise InvalidUsage(name, value, "a text without NUL, in Unicode")
        return str.__str__(value)
    if isinstance(value, int):
        if abs(value) > LARGEST_WHOLE:
            raise InvalidUsage(name, "a number past 64 bits", "a number of at most 64 bits, or a text")
        return int(value)
    if isinstance(value, float):
        if value - value != 0:
            raise InvalidUsage(name, value, "a finite number")
        return value
    if isinstance(value, Mapping | list | tuple):
        if not levels:
            raise InvalidUsage(name, "something deeper", f"at most {MAX_DEPTH} levels")
        if isinstance(value, Mapping):
            for key in value:
                if not isinstance(key, str):
                    raise InvalidUsage(name, key, "texts as the names of an object")
            return {
                _json_value(name, key, levels=levels): _json_value(name, one, levels=levels - 1)
                for key, one in value.items()
            }
        return [_json_value(name, one, levels=levels - 1) for one in value]
    raise InvalidUsage(name, value, "JSON data: texts, numbers, true, false, null, lists and objects")


def _is_unicode(text: str) -> bool:
    """Whether it has no halves of surrogate pairs, which no database takes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _plain(value: object) -> object:
    return decimal_text(value) if isinstance(value, Decimal) else value
