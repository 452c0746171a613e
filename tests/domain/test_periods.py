from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costtrack.domain.periods import DayRange, ZoneHistory, day_range, month_range, start_of_day, week_range

ZONES = sorted(available_timezones())
TICK = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("zone", "day", "start"),
    [
        ("America/New_York", date(2026, 3, 9), datetime(2026, 3, 9, 4, tzinfo=UTC)),
        ("America/Sao_Paulo", date(2018, 11, 4), datetime(2018, 11, 4, 3, tzinfo=UTC)),  # 00:00 is skipped: 01:00 -02
        ("Asia/Beirut", date(2024, 3, 31), datetime(2024, 3, 30, 22, tzinfo=UTC)),  # 00:00 is skipped: 01:00 +03
        ("America/Havana", date(2024, 11, 3), datetime(2024, 11, 3, 4, tzinfo=UTC)),  # 00:00 comes twice: the first
        ("Pacific/Apia", date(2011, 12, 31), datetime(2011, 12, 30, 10, tzinfo=UTC)),  # 30 December never was
    ],
)
def test_a_day_begins_at_its_first_instant(zone: str, day: date, start: datetime) -> None:
    assert start_of_day(day, ZoneInfo(zone)) == start


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 8), 23), (date(2026, 11, 1), 25), (date(2026, 6, 1), 24)])
def test_a_day_in_new_york_has_23_or_25_hours_when_the_clock_changes(day: date, hours: int) -> None:
    zone = ZoneInfo("America/New_York")
    assert start_of_day(day + timedelta(days=1), zone) - start_of_day(day, zone) == timedelta(hours=hours)


@given(st.sampled_from(ZONES), st.dates(date(1980, 1, 1), date(2037, 12, 31)))
def test_the_instant_before_a_day_is_another_day_in_every_zone(zone_name: str, day: date) -> None:
    zone = ZoneInfo(zone_name)
    start = start_of_day(day, zone)
    assert start.astimezone(zone).date() >= day
    assert (start - TICK).astimezone(zone).date() < day


@given(
    st.sampled_from(ZONES),
    st.sampled_from(ZONES),
    st.datetimes(datetime(2012, 1, 1), datetime(2037, 1, 1)),
    st.lists(st.integers(-5000, 5000), min_size=2, max_size=20),
)
def test_a_change_of_zone_never_turns_the_date_back(
    before: str, after: str, change: datetime, minutes: list[int]
) -> None:
    now = change.replace(tzinfo=UTC)
    effective = ZoneHistory((ZoneInfo(before),)).next_midnight(now)
    history = ZoneHistory((ZoneInfo(before), ZoneInfo(after)), (effective.astimezone(UTC),))
    assert effective > now
    days = [history.day_of(effective + timedelta(minutes=minute)) for minute in sorted(minutes)]
    assert history.day_of(effective) >= history.day_of(effective - TICK)
    assert days == sorted(days)


def test_the_day_of_a_change_keeps_one_beginning() -> None:
    # Tokyo until midnight of the 21st there (15:00 UTC on the 20th), then New York, where it is still the 20th.
    change = datetime(2026, 11, 20, 15, tzinfo=UTC)
    history = ZoneHistory((ZoneInfo("Asia/Tokyo"), ZoneInfo("America/New_York")), (change,))
    assert history.day_of(change - TICK) == date(2026, 11, 20)
    assert history.day_of(change) == date(2026, 11, 20)
    assert history.start_of(date(2026, 11, 20)) == datetime(2026, 11, 19, 15, tzinfo=UTC)
    assert history.start_of(date(2026, 11, 21)) == datetime(2026, 11, 21, 5, tzinfo=UTC)


def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    assert week_range(date(2026, 11, 22)) == DayRange(date(2026, 11, 16), date(2026, 11, 23))
    assert week_range(date(2026, 11, 16)) == DayRange(date(2026, 11, 16), date(2026, 11, 23))
    assert month_range(date(2026, 12, 31)) == DayRange(date(2026, 12, 1), date(2027, 1, 1))
    assert month_range(date(2028, 2, 29)) == DayRange(date(2028, 2, 1), date(2028, 3, 1))
    assert list(day_range(date(2026, 11, 20)).days()) == [date(2026, 11, 20)]


def test_a_range_never_ends_before_it_starts() -> None:
    with pytest.raises(ValueError, match="ends"):
        DayRange(date(2026, 1, 2), date(2026, 1, 1))
