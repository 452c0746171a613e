"""Every instant is in exactly one period of each kind, whatever the zone does."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from costtrack.domain.budget_periods import BudgetPeriod, Period, period_at
from costtrack.domain.periods import ZoneHistory

ZONES = sorted(zoneinfo.available_timezones() - {"Factory", "localtime"})
TICK = timedelta(microseconds=1)
INSTANTS = st.datetimes(
    min_value=datetime(1975, 1, 1), max_value=datetime(2037, 12, 31), timezones=st.just(UTC), allow_imaginary=False
)
KINDS = st.sampled_from([kind for kind in BudgetPeriod if kind is not BudgetPeriod.TOTAL])


def zones(name: str) -> ZoneHistory:
    return ZoneHistory.of(name)


def at(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def hours(period: Period) -> float:
    assert period.end is not None
    return (period.end - period.start) / timedelta(hours=1)


@given(name=st.sampled_from(ZONES), instant=INSTANTS, kind=KINDS)
@example(name="America/New_York", instant=at("2026-03-08T07:30"), kind=BudgetPeriod.HOUR)  # 23 hours
@example(name="America/New_York", instant=at("2026-11-01T06:30"), kind=BudgetPeriod.HOUR)  # 25 hours
@example(name="Africa/Cairo", instant=at("2026-04-23T22:10"), kind=BudgetPeriod.DAY)  # no midnight
@example(name="Australia/Lord_Howe", instant=at("2026-04-04T15:10"), kind=BudgetPeriod.HOUR)  # 24.5 hours
@example(name="Pacific/Apia", instant=at("2011-12-30T11:00"), kind=BudgetPeriod.DAY)  # a date that never was
def test_periods_tile_time(name: str, instant: datetime, kind: BudgetPeriod) -> None:
    history = zones(name)
    period = period_at(kind, instant, history)
    assert period.holds(instant)
    assert period.end is not None
    # the same from anywhere inside
    middle = period.start + (period.end - period.start) / 2
    assert period_at(kind, period.start, history) == period_at(kind, period.end - TICK, history) == period
    assert period_at(kind, middle, history) == period
    # and its neighbours touch it
    assert period_at(kind, period.end, history).start == period.end
    assert period_at(kind, period.start - TICK, history).end == period.start


@given(instant=INSTANTS, kind=KINDS, change=INSTANTS, names=st.tuples(st.sampled_from(ZONES), st.sampled_from(ZONES)))
def test_periods_tile_time_across_a_change_of_zone(
    instant: datetime, kind: BudgetPeriod, change: datetime, names: tuple[str, str]
) -> None:
    before, after = names
    effective_from = zones(before).next_midnight(change)
    history = ZoneHistory.of(after, [(before, None), (after, effective_from)])
    for moment in (instant, effective_from - TICK, effective_from):
        period = period_at(kind, moment, history)
        assert period.holds(moment)
        assert period.end is not None
        assert period_at(kind, period.start, history) == period_at(kind, period.end - TICK, history) == period
        assert period_at(kind, period.end, history).start == period.end


@pytest.mark.parametrize(
    ("day", "length", "count"),
    [("2026-03-08", 23.0, 23), ("2026-11-01", 25.0, 25), ("2026-11-26", 24.0, 24)],
)
def test_a_day_has_as_many_hours_as_its_clock_counts(day: str, length: float, count: int) -> None:
    history = zones("America/New_York")
    whole = period_at(BudgetPeriod.DAY, at(f"{day}T12:00", "America/New_York"), history)
    assert hours(whole) == length
    starts = []
    moment = whole.start
    while whole.holds(moment):
        period = period_at(BudgetPeriod.HOUR, moment, history)
        starts.append(period.start)
        assert period.end is not None
        moment = period.end
    assert len(starts) == count
    assert {later - earlier for earlier, later in pairwise(starts)} == {timedelta(hours=1)}


def test_periods_begin_at_local_edges() -> None:
    history = zones("Asia/Kolkata")  # UTC+5:30
    noon = at("2026-11-26T12:34:56", "Asia/Kolkata")  # a Thursday
    starts = {kind.value: period_at(kind, noon, history).start for kind in BudgetPeriod}
    assert starts == {
        "minute": at("2026-11-26T12:34", "Asia/Kolkata"),
        "hour": at("2026-11-26T12:00", "Asia/Kolkata"),
        "day": at("2026-11-26T00:00", "Asia/Kolkata"),
        "week": at("2026-11-23T00:00", "Asia/Kolkata"),
        "month": at("2026-11-01T00:00", "Asia/Kolkata"),
        "total": datetime(1970, 1, 1, tzinfo=UTC),
    }


def test_the_total_holds_everything_from_1970_on() -> None:
    period = period_at(BudgetPeriod.TOTAL, at("2026-11-26T12:00"), zones("UTC"))
    assert period.end is None
    assert period.holds(at("9999-12-31T23:59"))
