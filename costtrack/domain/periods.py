"""Days, weeks and months in an organization's time zone, and the instants where they begin.

Edges are computed from local dates, never by adding hours: a day may have 23 or 25 of them. Intervals are
half-open: `[start, end)`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class DayRange:
    """Whole local days, `[start, end)`."""

    start: date
    end: date

    def __post_init__(self) -> None:
        """Refuse an end before the start."""
        if self.end < self.start:
            raise ValueError(f"The range ends ({self.end}) before it starts ({self.start}).")

    def days(self) -> Iterator[date]:
        """Every day of the range, in order."""
        for offset in range((self.end - self.start).days):
            yield self.start + timedelta(days=offset)


def day_range(day: date) -> DayRange:
    """That one day."""
    return DayRange(day, day + timedelta(days=1))


def week_range(day: date) -> DayRange:
    """The Monday-to-Sunday week that holds `day`."""
    monday = day - timedelta(days=day.weekday())
    return DayRange(monday, monday + timedelta(days=7))


def month_range(day: date) -> DayRange:
    """The calendar month that holds `day`."""
    first = day.replace(day=1)
    return DayRange(first, next_month(first))


def next_month(day: date) -> date:
    """The first day of the month after `day`'s."""
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def start_of_day(day: date, zone: tzinfo) -> datetime:
    """The first instant of `day` in `zone`, as an aware UTC datetime.

    Where the clock skips midnight (a day that begins at 01:00), that is the instant of the skip.
    """
    midnights = [datetime.combine(day, time.min, zone).replace(fold=fold).astimezone(UTC) for fold in (0, 1)]
    start = min(midnight for midnight in midnights if midnight.astimezone(zone).date() >= day)
    just_before = start - _TICK
    if just_before.astimezone(zone).date() < day:
        return start
    low = start - timedelta(hours=26)
    while start - low > _TICK:
        middle = low + (start - low) / 2
        if middle.astimezone(zone).date() < day:
            low = middle
        else:
            start = middle
    return start


@dataclass(frozen=True, slots=True)
class ZoneHistory:
    """The zones that an organization has had: `zones[i]` holds from `starts[i]` on, `zones[0]` from ever.

    `starts` has one entry fewer than `zones`, ascending, aware. A change takes effect at a local midnight of
    the zone before it, so a local date never goes backwards.
    """

    zones: Sequence[tzinfo]
    starts: Sequence[datetime] = ()

    @classmethod
    def of(cls, timezone: str, changes: Iterable[tuple[str, datetime | None]] = ()) -> ZoneHistory:
        """From the current zone's name and the recorded (name, effective_from) changes, oldest first, if any."""
        rows = list(changes)
        if not rows:
            return cls((ZoneInfo(timezone),))
        return cls(tuple(ZoneInfo(name) for name, _ in rows), tuple(start for _, start in rows if start is not None))

    def next_midnight(self, instant: datetime) -> datetime:
        """The first instant of the local day after `instant`'s."""
        return self.start_of(self.day_of(instant) + timedelta(days=1))

    def zone_at(self, instant: datetime) -> tzinfo:
        """The zone in force at `instant`."""
        return self.zones[bisect_right(self.starts, instant)] if self.starts else self.zones[0]

    def day_of(self, instant: datetime) -> date:
        """The local date of `instant`."""
        return instant.astimezone(self.zone_at(instant)).date()

    def start_of(self, day: date) -> datetime:
        """The first instant of `day`, in the zone that is in force then, with that zone's offset."""
        for index in range(len(self.zones) - 1, 0, -1):
            begins = self.starts[index - 1]
            start = start_of_day(day, self.zones[index])
            if start >= begins:
                return start.astimezone(self.zones[index])
            if self.day_of(begins) >= day and self.day_of(begins - _TICK) < day:
                return begins.astimezone(self.zones[index])
        return start_of_day(day, self.zones[0]).astimezone(self.zones[0])
