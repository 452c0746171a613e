"""The periods of budgets: minute, hour, day, week, month and total, in an organization's time zone.

Periods of one kind tile time: every instant is in exactly one of them, `[start, end)`. Days, weeks and months are those
of the organization's local dates; hours and minutes are counted from the beginning of the local day, so that a day of
23 or 25 hours has so many, and a zone that is off by 30 minutes has its hours begin where its days do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from costtrack.domain.periods import DayRange, ZoneHistory, day_range, month_range, week_range


class BudgetPeriod(StrEnum):
    """How often a budget begins anew."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    """Monday to Sunday."""
    MONTH = "month"
    TOTAL = "total"
    """Never: all that was ever spent counts."""


EVER = datetime(1970, 1, 1, tzinfo=UTC)
"""Where the one period of kind `total` begins."""

_DAYS: dict[BudgetPeriod, Callable[[date], DayRange]] = {
    BudgetPeriod.DAY: day_range,
    BudgetPeriod.WEEK: week_range,
    BudgetPeriod.MONTH: month_range,
}
_LENGTHS = {BudgetPeriod.MINUTE: timedelta(minutes=1), BudgetPeriod.HOUR: timedelta(hours=1)}


@dataclass(frozen=True, slots=True)
class Period:
    """`[start, end)`, aware UTC; `end` is None for the one that never ends."""

    start: datetime
    end: datetime | None

    def holds(self, instant: datetime) -> bool:
        """Whether the instant is in it."""
        return self.start <= instant and (self.end is None or instant < self.end)


def period_at(kind: BudgetPeriod, instant: datetime, zones: ZoneHistory) -> Period:
    """The period of that kind that `instant` is in."""
    if kind is BudgetPeriod.TOTAL:
        return Period(EVER, None)
    day = zones.day_of(instant)
    if kind in _DAYS:
        days = _DAYS[kind](day)
        return Period(zones.start_of(days.start).astimezone(UTC), zones.start_of(days.end).astimezone(UTC))
    length = _LENGTHS[kind]
    midnight = zones.start_of(day).astimezone(UTC)
    next_midnight = zones.start_of(day + timedelta(days=1)).astimezone(UTC)
    start = midnight + (instant - midnight) // length * length
    return Period(start, min(start + length, next_midnight))
