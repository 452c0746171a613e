"""Periods and their parts in `GET summary`."""

from __future__ import annotations

from datetime import date

import pytest
import time_machine
from django.test import Client

from tests.api.callers import ROOT, robot
from tests.api.summaries import ask, costs
from tests.reporting.booked import book, organization

pytestmark = pytest.mark.django_db


def test_nothing_asked_for_is_the_sum_of_the_month_to_date() -> None:
    acme = organization("acme", "Asia/Kolkata")
    for day, cost in (("2023-10-31", "1"), ("2023-11-01", "2"), ("2023-11-17", "4"), ("2023-11-18", "8")):
        book(acme, cost, day=date.fromisoformat(day))
    client = robot(acme)
    with time_machine.travel("2023-11-16T20:00:00Z", tick=False):  # the 17th in Kolkata
        answer = client.get(ROOT + "summary", {"figures": "cost,calls"}).json()
    assert answer == {
        "period_start": "2023-11-01T00:00:00+05:30",
        "period_end": "2023-11-18T00:00:00+05:30",
        "granularity": None,
        "group_by": [],
        "total": {"cost": "6", "calls": 2},  # 2 + 4
        "previous": None,
        "change": None,
        "groups": [],
        "other": None,
        "buckets": None,
    }


@pytest.mark.parametrize(
    ("question", "start", "end"),
    [
        ({"to": "2023-10-05"}, "2023-10-01", "2023-10-05"),
        ({"to": "2023-10-01"}, "2023-09-01", "2023-10-01"),
        ({"from": "2023-11-10"}, "2023-11-10", "2023-11-17"),
        ({"from": "2023-11-16"}, "2023-11-16", "2023-11-17"),
        ({"from": "2024-01-01", "to": "2024-02-01"}, "2024-01-01", "2024-02-01"),
    ],
)
def test_an_edge_that_is_not_said_is_this_month_s_or_today(
    superuser: Client, question: dict[str, str], start: str, end: str
) -> None:
    with time_machine.travel("2023-11-16T12:00:00Z", tick=False):
        answer = superuser.get(ROOT + "summary", question).json()
    assert (answer["period_start"][:10], answer["period_end"][:10]) == (start, end)


def test_days_of_23_and_25_hours_end_at_their_own_midnights(superuser: Client) -> None:
    organization("acme", "America/New_York")
    spring = ask(superuser, **{"from": "2023-03-12"}, to="2023-03-13", granularity="day")
    assert (spring["period_start"], spring["period_end"]) == ("2023-03-12T00:00:00-05:00", "2023-03-13T00:00:00-04:00")
    autumn = ask(superuser, **{"from": "2023-11-01"}, to="2023-12-01", granularity="week")
    assert [(bucket["start"], bucket["end"]) for bucket in autumn["buckets"]][:2] == [
        ("2023-11-01T00:00:00-04:00", "2023-11-06T00:00:00-05:00"),
        ("2023-11-06T00:00:00-05:00", "2023-11-13T00:00:00-05:00"),
    ]
    again = ask(superuser, **{"from": autumn["period_start"]}, to=autumn["period_end"], granularity="week")
    assert again == autumn


def test_a_day_is_the_local_one_of_each_organization(superuser: Client) -> None:
    for slug, zone in (("acme", "America/New_York"), ("bharat", "Asia/Kolkata")):
        book(organization(slug, zone), "1")
    answer = ask(superuser, **{"from": "2023-11-16"}, to="2023-11-17", group_by="organization")
    assert costs(answer, "organization") == [("acme", "1"), ("bharat", "1")]
    assert answer["period_start"] == "2023-11-16T00:00:00+00:00"


def test_weeks_begin_on_monday_and_months_on_the_first(superuser: Client) -> None:
    acme = organization()
    for day, cost in (("2023-10-30", "1"), ("2023-10-31", "2"), ("2023-11-05", "4"), ("2023-11-06", "8")):
        book(acme, cost, day=date.fromisoformat(day))
    period = {"from": "2023-10-30", "to": "2023-11-08"}

    def told(granularity: str) -> list[tuple[str, str]]:
        return [
            (one["start"][:10], one["cost"]) for one in ask(superuser, granularity=granularity, **period)["buckets"]
        ]

    assert told("week") == [("2023-10-30", "7"), ("2023-11-06", "8")]  # 1 + 2 + 4
    assert told("month") == [("2023-10-30", "3"), ("2023-11-01", "12")]  # 1 + 2; 4 + 8
    assert [cost for _, cost in told("day")] == ["1", "2", "0", "0", "0", "0", "4", "8", "0"]


def test_a_calendar_month_is_compared_with_the_one_before(superuser: Client) -> None:
    acme = organization()
    book(acme, "3", day=date(2023, 11, 30))
    book(acme, "4", day=date(2023, 10, 1))
    book(acme, "64", day=date(2023, 9, 30))
    answer = ask(superuser, compare="previous", figures="cost,calls")
    assert answer["previous"] == {
        "period_start": "2023-10-01T00:00:00+00:00",
        "period_end": "2023-11-01T00:00:00+00:00",
        "cost": "4",
        "calls": 1,
    }
    assert answer["change"] == {"cost": "-1", "ratio": "-0.25"}  # 3 - 4; -1 / 4
