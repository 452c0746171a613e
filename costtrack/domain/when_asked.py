"""Fields of an event that are worked out when somebody asks for them: the caller, who waits for it, hardly ever does.

They are descriptors in the place of a default. To the dataclass they are none: it is told that there is no attribute.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant(clock_ns: int) -> datetime:
    """The time that the clock says in nanoseconds since 1970, in whole microseconds."""
    return EPOCH + timedelta(microseconds=clock_ns // 1000)


class Instant:
    """An aware datetime, which may be set as the clock's nanoseconds since 1970."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, event: Any, owner: type) -> datetime:
        if event is None:
            raise AttributeError(self._name)
        at: datetime | int = event.__dict__[self._name]
        if isinstance(at, int):
            at = event.__dict__[self._name] = instant(at)
        return at

    def __set__(self, event: Any, value: datetime | int) -> None:
        event.__dict__[self._name] = value


class TotalTokens:
    """What an event's `tokens` come to, unless it was made with another value; that is found before this is asked."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, event: Any, owner: type) -> Decimal:
        if event is None:
            raise AttributeError(self._name)
        total = event.__dict__[self._name] = Decimal(event.tokens.total_tokens)
        return total


INSTANT: Any = Instant()
TOTAL_TOKENS: Any = TotalTokens()
