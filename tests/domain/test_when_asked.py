"""An event's time and amount are worked out when somebody asks, and nobody can tell."""

from __future__ import annotations

import copy
import pickle
from dataclasses import MISSING, fields, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from costtrack.domain.events import Attribution, UsageEvent
from costtrack.domain.frozen import frozen_from
from costtrack.domain.tokens import TokenUsage

CLOCK_NS = 1_795_177_815_123_456_789
"""2026-11-20 12:30:15.123456 UTC, and 789 ns: 1,795,177,815 s are 20,777 days (of 86,400 s) and 45,015 s."""
NOON = datetime(2026, 11, 20, 12, 30, 15, 123456, tzinfo=UTC)


def unasked(**more: Any) -> UsageEvent:
    """An event as metering makes it."""
    values = {
        "idempotency_key": "k",
        "occurred_at": CLOCK_NS,
        "attribution": Attribution(),
        "resource_type": "llm_tokens",
        "tokens": TokenUsage(input_tokens=1000, output_tokens=300),
        "metadata": {},
    }
    return frozen_from(UsageEvent, values | more)


TOLD = UsageEvent(
    idempotency_key="k",
    occurred_at=NOON,
    attribution=Attribution(),
    resource_type="llm_tokens",
    amount=Decimal(1300),
    tokens=TokenUsage(input_tokens=1000, output_tokens=300),
)


def test_the_time_is_the_clocks_in_whole_microseconds_and_the_amount_the_tokens_in_all() -> None:
    event = unasked()
    assert (event.occurred_at, event.occurred_at.tzinfo) == (NOON, UTC)
    assert event.amount == Decimal(1300)
    assert type(event.amount) is Decimal
    assert event.occurred_at is event.occurred_at  # worked out once


def test_an_event_nobody_has_asked_equals_one_that_was_told_all() -> None:
    assert unasked() == TOLD
    assert repr(unasked()) == repr(TOLD)
    assert replace(unasked(), hold_id="h") == replace(TOLD, hold_id="h")
    assert copy.copy(unasked()) == copy.deepcopy(unasked()) == pickle.loads(pickle.dumps(unasked())) == TOLD


def test_an_amount_that_was_given_stays() -> None:
    assert unasked(amount=Decimal("0.5")).amount == Decimal("0.5")


def test_both_have_to_be_given_to_an_event_that_is_made_by_hand() -> None:
    """They are no defaults."""
    assert {field.name for field in fields(UsageEvent) if field.default is field.default_factory is MISSING} == {
        "idempotency_key",
        "occurred_at",
        "attribution",
        "resource_type",
        "amount",
    }
    with pytest.raises(TypeError, match="'occurred_at' and 'amount'"):
        UsageEvent(idempotency_key="k", attribution=Attribution(), resource_type="llm_tokens")


def test_neither_can_be_changed() -> None:
    event = unasked()
    for name, value in (("occurred_at", NOON), ("amount", Decimal(1))):
        with pytest.raises(AttributeError, match="cannot assign"):
            setattr(event, name, value)
