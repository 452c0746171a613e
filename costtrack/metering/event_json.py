"""A UsageEvent as JSON for people and for dead letters: its fields by name, money and amounts as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson

from costtrack.domain.events import Attribution, UsageEvent
from costtrack.domain.tokens import TokenUsage

_MONEY = ("amount", "reported_cost_usd", "saving_usd")


def event_json(event: UsageEvent) -> str:
    """The event as one line of JSON."""
    return json_line(event_fields(event))


def event_fields(event: UsageEvent) -> dict[str, Any]:
    """The event's fields by name, nested ones too."""
    return _plain(event)  # type: ignore[no-any-return]


def event_of_fields(given: Mapping[str, Any]) -> UsageEvent:
    """The event that `event_fields` was made of, read back from JSON.

    Raises TypeError, ValueError or ArithmeticError for fields that do not make an event.
    """
    values = dict(given)
    occurred_at = datetime.fromisoformat(values["occurred_at"])
    if occurred_at.tzinfo is None:
        raise ValueError(f"occurred_at: got {values['occurred_at']!r}, expected a time with its offset.")
    for name in _MONEY:
        if values.get(name) is not None:
            values[name] = Decimal(values[name])
    values["occurred_at"] = occurred_at.astimezone(UTC)
    values["attribution"] = Attribution(**values["attribution"])
    values["tokens"] = TokenUsage(**values["tokens"])
    return UsageEvent(**values)


def json_line(value: object) -> str:
    """Any value as one line of JSON; what has no form in JSON becomes its text."""
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def _plain(value: object) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return dict(value) if isinstance(value, Mapping) else value
