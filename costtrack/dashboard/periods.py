"""The periods that a page can show: today, the last days, this month, the last one, or any days."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from costtrack.domain.periods import DayRange, day_range, month_range
from costtrack.reporting.parameters import InvalidParameter, parse_day
from costtrack.reporting.summary import Granularity

MAX_DAYS = 1100
CUSTOM = "custom"
DEFAULT = "mtd"
ONE_DAY = timedelta(days=1)
DAYS_SHOWN = 62
"""Longer periods are charted by week."""
WEEKS_SHOWN = 371
"""Longer ones by month."""

NAMED: Mapping[str, tuple[str, Callable[[date], DayRange]]] = {
    "today": ("Today", day_range),
    "7d": ("Last 7 days", lambda today: _last(today, 7)),
    "30d": ("Last 30 days", lambda today: _last(today, 30)),
    "mtd": ("Month to date", lambda today: DayRange(today.replace(day=1), today + ONE_DAY)),
    "last-month": ("Last month", lambda today: month_range(today.replace(day=1) - ONE_DAY)),
}
"""By their names in addresses: what people call them, and which days they are, of today's date."""
PARAMETERS = ("period", "from", "through")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPeriod:
    """The days that a page is about."""

    name: str
    """A key of NAMED, or CUSTOM."""
    days: DayRange

    @property
    def label(self) -> str:
        """What people call it."""
        return NAMED[self.name][0] if self.name in NAMED else "Custom"

    @property
    def text(self) -> str:
        """Its first and last day: `1 Nov 2026 to 26 Nov 2026`."""
        first, last = self.days.start, self.last
        return day_text(first) if first == last else f"{day_text(first)} to {day_text(last)}"

    @property
    def last(self) -> date:
        """Its last day, as people say it; the range itself is half-open."""
        return self.days.end - ONE_DAY

    @property
    def granularity(self) -> Granularity:
        """How long the bars of its chart are."""
        count = (self.days.end - self.days.start).days
        if count <= DAYS_SHOWN:
            return Granularity.DAY
        return Granularity.WEEK if count <= WEEKS_SHOWN else Granularity.MONTH

    @property
    def query(self) -> dict[str, str]:
        """The parameters that ask for it."""
        if self.name != CUSTOM:
            return {"period": self.name}
        return {"period": CUSTOM, "from": self.days.start.isoformat(), "through": self.last.isoformat()}


def asked_period(given: Mapping[str, str], *, today: date) -> ShownPeriod:
    """The period that the parameters ask for; without any the month to date. Raises InvalidParameter.

    `through` is the last day, as a person means it, not the day after.
    """
    name = given.get("period") or (CUSTOM if "from" in given or "through" in given else DEFAULT)
    if name in NAMED:
        for edge in ("from", "through"):
            if edge in given:
                raise InvalidParameter(edge, given[edge], f"no such parameter with the period {name!r}")
        return ShownPeriod(name=name, days=NAMED[name][1](today))
    if name != CUSTOM:
        raise InvalidParameter("period", name, f"one of {', '.join((*NAMED, CUSTOM))}")
    through = parse_day("through", given["through"]) if "through" in given else today
    start = parse_day("from", given["from"]) if "from" in given else through.replace(day=1)
    if not start <= through < start + timedelta(days=MAX_DAYS):
        named = "through" if "through" in given else "from"
        expected = f"a last day on or after the first, and at most {MAX_DAYS:,} days in all"
        raise InvalidParameter(named, given.get(named, through.isoformat()), expected)
    return ShownPeriod(name=CUSTOM, days=DayRange(start, through + ONE_DAY))


def day_text(day: date) -> str:
    """`3 Nov 2026`."""
    return f"{day.day} {day:%b %Y}"


def short_day(day: date) -> str:
    """`3 Nov`."""
    return f"{day.day} {day:%b}"


def _last(today: date, count: int) -> DayRange:
    return DayRange(today + ONE_DAY - timedelta(days=count), today + ONE_DAY)
