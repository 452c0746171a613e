"""One event as one line of a segment: a checksum, the time it was spooled, and its fields by name.

A line is `crc32 of the rest, 8 hex digits`, a blank, a JSON array, a line feed. What an event does not say is not in
its line, and has its default when it is read. So new fields need a default, and a default never changes, under one
format version. This is version 2, where `occurred_at` may be in nanoseconds since 1970, and `amount` may be left out:
the tokens in all. In lines of version 1, which are still read, both were texts.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zlib import crc32

import orjson

from costtrack.domain.events import Attribution, UsageEvent
from costtrack.domain.frozen import frozen_from
from costtrack.domain.tokens import TokenUsage
from costtrack.domain.when_asked import instant
from costtrack.exceptions import CostTrackError

CHECKSUM_BYTES = 9
"""Eight hex digits and a blank."""


class DamagedRecord(CostTrackError, ValueError):
    """A line of a segment is not what was written; `raw` holds its bytes."""

    def __init__(self, reason: str, raw: bytes) -> None:
        self.reason = reason
        self.raw = raw
        super().__init__(f"{reason}: {base64.b64encode(raw[:60]).decode()}")


@dataclass(frozen=True, slots=True)
class SpooledEvent:
    """An event as it came back from a segment."""

    event: UsageEvent
    spooled_ms: int
    """When it was first spooled, in milliseconds since 1970."""


def encode(event: UsageEvent, spooled_ms: int) -> bytes:
    """The event's line."""
    try:
        body = orjson.dumps((spooled_ms, vars(event)), default=str)  # Decimals as text
    except TypeError as error:
        raise error.__cause__ or error from None  # what a signal handler raised in the middle of it
    return b"%08x " % crc32(body) + body + b"\n"


def decode(line: bytes) -> SpooledEvent:
    """The event of a line, without its line feed. Raises DamagedRecord."""
    body = line[CHECKSUM_BYTES:]
    if line[:CHECKSUM_BYTES] != b"%08x " % crc32(body):
        raise DamagedRecord("The checksum does not match", line)
    try:
        spooled_ms, values, *_ = orjson.loads(body)
        return SpooledEvent(_event(values), spooled_ms)
    except (ValueError, TypeError, KeyError, ArithmeticError) as error:  # written by other code than this
        raise DamagedRecord(f"The record can not be read ({type(error).__name__}: {error})", line) from error


def _event(values: dict[str, Any]) -> UsageEvent:
    """Made at once: the line's checksum says that these are the values of an event that was checked."""
    at = values["occurred_at"]
    values["occurred_at"] = instant(at) if isinstance(at, int) else datetime.fromisoformat(at)
    values["attribution"] = frozen_from(Attribution, values["attribution"])
    if "tokens" in values:
        values["tokens"] = frozen_from(TokenUsage, values["tokens"])
    if "amount" in values:
        values["amount"] = Decimal(values["amount"])
    for name in ("reported_cost_usd", "saving_usd"):
        if values.get(name) is not None:
            values[name] = Decimal(values[name])
    return frozen_from(UsageEvent, values)
