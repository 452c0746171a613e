"""Forecasts of what is booked: which days count, whose, and where a day stands."""

from __future__ import annotations

import dataclasses
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from costtrack.domain.forecast import METHOD
from costtrack.models import Organization
from costtrack.reporting import spent_by_now
from costtrack.reporting.forecast import PeriodForecast, forecast
from costtrack.reporting.forecast_shapes import forecast_line, forecast_shape
from costtrack.reporting.parameters import InvalidParameter
from tests.reporting.booked import agent, book, organization, void

pytestmark = pytest.mark.django_db

NOON = datetime(2023, 11, 20, 12, tzinfo=UTC)
"""A Monday."""
MONDAY = date(2023, 11, 20)


@pytest.fixture
def acme(db: None) -> Organization:
    return organization()


def book_days(
    owner: Organization, cost: str, *, days: int, until: date = MONDAY, hour: int = 9, **fields: object
) -> None:
    """That cost at that hour of each of so many days before `until`."""
    for back in range(days, 0, -1):
        day = until - timedelta(days=back)
        book(owner, cost, day=day, at=datetime(day.year, day.month, day.day, hour, tzinfo=UTC), **fields)


def month(owner: Organization | None, **said: object) -> PeriodForecast:
    return forecast(owner, at=NOON, **said)  # type: ignore[arg-type]


def test_a_month_goes_on_as_its_days_have(acme: Organization) -> None:
    book_days(acme, "2", days=28)
    book(acme, "2", day=MONDAY)
    found = month(acme)
    # 19 days of 2 and today's 2, which is all of it: the others were spent at nine. Then 10 days of 2.
    assert (found.spent, found.expected, found.low, found.high) == (40, 60, 60, 60)
    assert (found.enough_data, found.method, found.complete_days) == (True, METHOD, 28)
    assert (found.period_start, found.period_end) == (
        datetime(2023, 11, 1, tzinfo=UTC),
        datetime(2023, 12, 1, tzinfo=UTC),
    )
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.spent = Decimal(0)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("period", "spent", "expected", "end"),
    [
        ("day", "2", "2", datetime(2023, 11, 21, tzinfo=UTC)),
        ("week", "2", "14", datetime(2023, 11, 27, tzinfo=UTC)),
        ("month", "40", "60", datetime(2023, 12, 1, tzinfo=UTC)),
    ],
)
def test_each_period_has_its_end(acme: Organization, period: str, spent: str, expected: str, end: datetime) -> None:
    book_days(acme, "2", days=28)
    book(acme, "2", day=MONDAY)
    found = month(acme, period=period)
    assert (found.period, found.spent, found.expected, found.period_end) == (
        period,
        Decimal(spent),
        Decimal(expected),
        end,
    )


def test_what_is_usually_spent_later_is_still_to_come(acme: Organization) -> None:
    # Every day 1 at nine and 3 at six in the evening: at noon a quarter is spent, half of what leads to 4 is the
    # day's own: (4 x (1 - 0.5) + 1 / 0.5) x 0.75 = 3.
    book_days(acme, "1", days=14)
    book_days(acme, "3", days=14, hour=18)
    book(acme, "1", day=MONDAY)
    assert month(acme, period="day").expected == 4


def test_a_period_that_there_is_not_is_named_with_those_that_there_are(acme: Organization) -> None:
    with pytest.raises(InvalidParameter, match="period: got 'year', expected day, week or month"):
        forecast(acme, period="year")


def test_the_time_of_day_is_taken_to_a_quarter_of_an_hour(acme: Organization) -> None:
    book_days(acme, "1", days=14, hour=12)
    later = NOON + timedelta(minutes=14)
    # Up to noon nothing of a day was spent: all of it is to come.
    assert forecast(acme, at=NOON, period="day").expected == 1
    assert forecast(acme, at=later, period="day") == forecast(acme, at=NOON, period="day")
    assert forecast(acme, at=NOON + timedelta(minutes=15), period="day").expected == 0


def test_below_seven_complete_days_there_is_not_enough_data(acme: Organization) -> None:
    book_days(acme, "1", days=6)
    book(acme, "1", day=MONDAY)
    found = month(acme)
    assert (found.spent, found.expected, found.low, found.high) == (7, None, None, None)
    assert (found.enough_data, found.complete_days) == (False, 6)
    assert found.method == "not enough data: 6 of 7 complete days of history"
    book_days(acme, "1", days=1, until=date(2023, 11, 14))
    assert month(acme).expected == 18  # 7 days and today are spent, 10 days are to come


def test_days_without_usage_count_as_days(acme: Organization) -> None:
    book(acme, "7", day=date(2023, 11, 13))
    found = month(acme, period="week")
    assert (found.complete_days, found.spent) == (7, 0)
    # Mondays cost 7, nothing else does: and this one's, usually spent at noon, is still to come.
    assert found.expected == 7


def test_nothing_is_known_of_what_was_never_used(acme: Organization) -> None:
    assert month(acme).method == "not enough data: 0 of 7 complete days of history"


def test_usage_before_the_last_eight_weeks_is_history_no_more(acme: Organization) -> None:
    book(acme, "5", day=MONDAY - timedelta(days=57))
    assert month(acme).complete_days == 0
    book(acme, "5", day=MONDAY - timedelta(days=56))
    assert month(acme).complete_days == 56


def test_a_forecast_is_of_its_scope(acme: Organization) -> None:
    writer, editor = agent(acme, "website/writer"), agent(acme, "website/editor")
    other = organization("globex")
    for owner, cost in ((writer, "1"), (editor, "2")):
        book_days(acme, cost, days=14, project=owner.project, agent=owner)
    book_days(acme, "4", days=14)
    book_days(other, "8", days=14)
    # 14 days and 10 to come; of today, Monday, everything is usually spent by now, and nothing was.
    assert month(acme, agent=writer).expected == 24
    assert month(acme, project=writer.project).expected == 3 * 24
    assert month(acme).expected == 7 * 24
    assert month(other).expected == 8 * 24
    assert month(None).expected == 15 * 24
    assert month(None, organizations=[other]).expected == 8 * 24
    assert month(None, organizations=[]).method == "not enough data: 0 of 7 complete days of history"


def test_voids_are_history_s_too_and_folds_change_nothing(acme: Organization) -> None:
    book_days(acme, "2", days=14)
    void(book(acme, "50", day=date(2023, 11, 15)))
    before = month(acme)
    assert before.expected == 48  # 14 x 2 + 10 x 2
    call_command("aggregate_costs")
    assert month(acme) == before


def test_days_are_those_of_the_organization_s_zone() -> None:
    kolkata = organization("bharat", "Asia/Kolkata")
    book_days(kolkata, "1", days=14)
    found = forecast(kolkata, at=datetime(2023, 11, 19, 19, tzinfo=UTC), period="day")  # 00:30 of Monday
    assert found.days.start == MONDAY
    assert found.period_start == datetime(2023, 11, 19, 18, 30, tzinfo=UTC)


def test_a_day_of_25_hours_is_not_over_after_24() -> None:
    berlin = organization("berlin", "Europe/Berlin")
    sunday = date(2023, 10, 29)  # the clock is put back at three
    book(berlin, "1", day=sunday - timedelta(days=21))
    book(berlin, "1", day=sunday)
    late = datetime(2023, 10, 29, 22, 45, tzinfo=UTC)  # 24 hours and three quarters after midnight
    found = forecast(berlin, at=late, period="day")
    # None of the last 14 days tells what is spent by then: the clock says 24.75 / 25 = 0.99. 1 + 0.01 x ...
    assert found.expected is not None
    assert 1 < found.expected < Decimal("1.02")
    assert forecast(berlin, at=late.astimezone(ZoneInfo("Europe/Berlin")), period="day") == found


def test_unpriced_calls_are_told_and_not_taken_for_nothing_spent(acme: Organization) -> None:
    book_days(acme, "1", days=14)
    book(acme, None, day=MONDAY)
    book(acme, None, day=date(2023, 10, 31))
    found = month(acme)
    assert (found.unpriced_calls, found.spent) == (1, 14)
    assert "$14.00 spent so far and 1 call without a price (" in forecast_line(found)


def test_it_takes_two_queries_and_one_for_the_zone(acme: Organization) -> None:
    book_days(acme, "1", days=3)
    with CaptureQueriesContext(connection) as queries:
        month(acme)
    assert [one["sql"].split(" FROM ")[1].split('"')[1] for one in queries.captured_queries] == [
        "costtrack_organizationzone",
        "costtrack_dailycostsummary",
        "costtrack_resourceusage",
    ]


def days_of_ledger(queries: CaptureQueriesContext) -> tuple[str, str]:
    """The first and the last day that a forecast asks the ledger about."""
    [asked] = [one["sql"] for one in queries.captured_queries if 'FROM "costtrack_resourceusage"' in one["sql"]]
    days = sorted(re.findall(r'"day" = \'(\d{4}-\d{2}-\d{2})\'', asked))
    return days[0], days[-1]


@pytest.mark.parametrize("whose", ["organization", "agent"])
def test_of_very_many_calls_the_ledger_is_asked_about_fewer_days(
    acme: Organization, monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    bot = agent(acme, "web/bot")
    book_days(acme, "2", days=28, agent=bot, project=bot.project)
    book(acme, "1", day=date(2023, 11, 16))  # of nobody, and yet among what is looked at
    said: dict[str, object] = {"agent": bot} if whose == "agent" else {}
    with CaptureQueriesContext(connection) as queries:
        month(acme, **said)
    assert days_of_ledger(queries) == ("2023-10-23", "2023-11-19")
    monkeypatch.setattr(spent_by_now, "MOST_CALLS_READ", 6)
    with CaptureQueriesContext(connection) as queries:
        found = month(acme, **said)
    # One call on each of the 19th, 18th and 17th, two on the 16th: five; with the 15th six, with the 14th seven.
    assert days_of_ledger(queries) == ("2023-11-15", "2023-11-19")
    assert found.enough_data
    monkeypatch.setattr(spent_by_now, "MOST_CALLS_READ", 0)
    with CaptureQueriesContext(connection) as queries:
        assert month(acme, **said).enough_data
    assert not [one for one in queries.captured_queries if "costtrack_resourceusage" in one["sql"]]


def test_the_days_that_are_over_are_not_read_again_within_a_quarter_of_an_hour(acme: Organization) -> None:
    book_days(acme, "2", days=28)
    other = organization("globex")
    book_days(other, "4", days=28, hour=18)  # after noon
    first, second = month(acme), month(other)
    with CaptureQueriesContext(connection) as queries:
        assert (month(acme), month(other)) == (first, second)
    assert not [query for query in queries.captured_queries if "costtrack_resourceusage" in query["sql"]]
    with CaptureQueriesContext(connection) as queries:
        forecast(acme, at=NOON + timedelta(minutes=15))
    assert [query for query in queries.captured_queries if "costtrack_resourceusage" in query["sql"]]


def test_another_period_is_refused(acme: Organization) -> None:
    with pytest.raises(ValueError, match="year"):
        forecast(acme, period="year")


def test_as_a_line_and_as_json(acme: Organization) -> None:
    book_days(acme, "2", days=28)
    book(acme, "2", day=MONDAY)
    found = month(acme)
    assert forecast_line(found) == (
        f"Month to 2023-11-30: $60.00 expected ($60.00 to $60.00), $40.00 spent so far ({METHOD})"
    )
    assert forecast_shape(found) == {
        "period": "month",
        "period_start": "2023-11-01T00:00:00+00:00",
        "period_end": "2023-12-01T00:00:00+00:00",
        "spent": "40",
        "expected": "60",
        "low": "60",
        "high": "60",
        "method": METHOD,
        "enough_data": True,
        "complete_days": 28,
        "unpriced_calls": 0,
    }
    nothing = forecast(organization("globex"), at=NOON)
    assert forecast_line(nothing) == (
        "Month to 2023-11-30: $0.00 spent so far (not enough data: 0 of 7 complete days of history)"
    )
