from __future__ import annotations

from datetime import date

import pytest

from costtrack.dashboard.cost_rows import compared_with, same_days_last_month
from costtrack.dashboard.periods import asked_period
from costtrack.domain.periods import DayRange
from costtrack.reporting.parameters import InvalidParameter
from costtrack.reporting.summary import Granularity

TODAY = date(2023, 11, 16)


@pytest.mark.parametrize(
    ("given", "start", "end", "text"),
    [
        ({}, "2023-11-01", "2023-11-17", "1 Nov 2023 to 16 Nov 2023"),
        ({"period": "today"}, "2023-11-16", "2023-11-17", "16 Nov 2023"),
        ({"period": "7d"}, "2023-11-10", "2023-11-17", "10 Nov 2023 to 16 Nov 2023"),
        ({"period": "30d"}, "2023-10-18", "2023-11-17", "18 Oct 2023 to 16 Nov 2023"),
        ({"period": "mtd"}, "2023-11-01", "2023-11-17", "1 Nov 2023 to 16 Nov 2023"),
        ({"period": "last-month"}, "2023-10-01", "2023-11-01", "1 Oct 2023 to 31 Oct 2023"),
        ({"from": "2023-02-27", "through": "2023-03-01"}, "2023-02-27", "2023-03-02", "27 Feb 2023 to 1 Mar 2023"),
        ({"period": "custom", "from": "2023-11-10"}, "2023-11-10", "2023-11-17", "10 Nov 2023 to 16 Nov 2023"),
        ({"through": "2023-10-05"}, "2023-10-01", "2023-10-06", "1 Oct 2023 to 5 Oct 2023"),
    ],
)
def test_periods_are_whole_days(given: dict[str, str], start: str, end: str, text: str) -> None:
    period = asked_period(given, today=TODAY)
    assert period.days == DayRange(date.fromisoformat(start), date.fromisoformat(end))
    assert period.text == text
    assert asked_period(period.query, today=TODAY) == period


@pytest.mark.parametrize(
    ("given", "parameter"),
    [
        ({"period": "yesterday"}, "period"),
        ({"period": "7d", "from": "2023-11-01"}, "from"),
        ({"from": "2023-11-32"}, "from"),
        ({"from": "2023-11-10", "through": "2023-11-09"}, "through"),
        ({"from": "2023-11-17"}, "from"),
        ({"from": "2020-01-01", "through": "2023-11-01"}, "through"),
        ({"through": "tomorrow"}, "through"),
    ],
)
def test_what_is_no_period_is_refused_by_name(given: dict[str, str], parameter: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        asked_period(given, today=TODAY)
    assert refused.value.parameter == parameter


@pytest.mark.parametrize(
    ("start", "bars"),
    [
        ("2023-09-16", Granularity.DAY),
        ("2023-09-15", Granularity.WEEK),
        ("2022-11-11", Granularity.WEEK),
        ("2022-11-10", Granularity.MONTH),
    ],
)
def test_long_periods_have_longer_bars(start: str, bars: Granularity) -> None:
    """To the 16th of November: 62 days, 63, 371, 372."""
    assert asked_period({"from": start}, today=TODAY).granularity is bars


@pytest.mark.parametrize(
    ("today", "start", "end"),
    [
        ("2023-11-16", "2023-10-01", "2023-10-17"),
        ("2023-11-01", "2023-10-01", "2023-10-02"),
        ("2023-03-31", "2023-02-01", "2023-03-01"),  # February has no 31st
        ("2024-01-05", "2023-12-01", "2023-12-06"),
    ],
)
def test_a_month_so_far_is_compared_with_the_same_days_of_the_last_one(today: str, start: str, end: str) -> None:
    days = DayRange(date.fromisoformat(start), date.fromisoformat(end))
    assert same_days_last_month(date.fromisoformat(today)) == days
    period = asked_period({}, today=date.fromisoformat(today))
    assert compared_with(period, today=date.fromisoformat(today)) == days


def test_other_periods_are_compared_with_as_many_days_before() -> None:
    def before(given: dict[str, str]) -> tuple[str, str]:
        days = compared_with(asked_period(given, today=TODAY), today=TODAY)
        return days.start.isoformat(), days.end.isoformat()

    assert before({"period": "today"}) == ("2023-11-15", "2023-11-16")
    assert before({"period": "7d"}) == ("2023-11-03", "2023-11-10")
    assert before({"period": "last-month"}) == ("2023-09-01", "2023-10-01")
