"""`GET forecast`: periods, scopes, what is refused; and that who asks again is told so."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.test import Client

from costtrack.domain.forecast import METHOD
from costtrack.models import Organization
from tests.api.callers import ROOT, person, robot
from tests.reporting.booked import agent, book, organization

pytestmark = pytest.mark.django_db

URL = f"{ROOT}forecast"
NOON = datetime(2023, 11, 20, 12, tzinfo=UTC)
"""A Monday."""


@pytest.fixture(autouse=True)
def at_noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def acme(db: None) -> Organization:
    return organization()


def book_days(owner: Organization, cost: str, *, days: int = 14, **fields: object) -> None:
    """That cost at nine of each of so many days, and of today."""
    for back in range(days, -1, -1):
        day = date(2023, 11, 20) - timedelta(days=back)
        book(owner, cost, day=day, at=datetime(day.year, day.month, day.day, 9, tzinfo=UTC), **fields)


def test_the_month_is_foretold(superuser: Client, acme: Organization) -> None:
    book_days(acme, "2")
    answer = superuser.get(URL, {"organization": "acme"})
    assert answer.status_code == 200
    assert answer["Costtrack-Unpriced-Calls"] == "0"
    assert answer.json() == {
        "period": "month",
        "period_start": "2023-11-01T00:00:00+00:00",
        "period_end": "2023-12-01T00:00:00+00:00",
        "spent": "30",  # 15 x 2
        "expected": "50",  # 10 days to come; today's is spent
        "low": "50",
        "high": "50",
        "method": METHOD,
        "enough_data": True,
        "complete_days": 14,
        "unpriced_calls": 0,
    }


@pytest.mark.parametrize(
    ("period", "spent", "expected"), [("day", "2", "2"), ("week", "2", "14"), ("month", "30", "50")]
)
def test_the_period_is_chosen(superuser: Client, acme: Organization, period: str, spent: str, expected: str) -> None:
    book_days(acme, "2")
    found = superuser.get(URL, {"period": period}).json()
    assert (found["period"], found["spent"], found["expected"]) == (period, spent, expected)


def test_without_enough_data_there_is_none(superuser: Client, acme: Organization) -> None:
    book_days(acme, "2", days=6)
    found = superuser.get(URL).json()
    assert (found["spent"], found["expected"], found["low"], found["high"]) == ("14", None, None, None)
    assert (found["enough_data"], found["complete_days"]) == (False, 6)
    assert found["method"] == "not enough data: 6 of 7 complete days of history"


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ({}, "175"),  # 25 days of 1 + 2 + 4
        ({"project": "website"}, "75"),
        ({"agent": "acme/website/writer"}, "25"),
        ({"model": "gpt-4"}, "75"),
        ({"endpoint": "search"}, "100"),
        ({"agent": "writer", "model": "gpt-4"}, "25"),
        ({"sprint": "(none)"}, "175"),
    ],
)
def test_the_scope_is_asked_for_as_of_a_summary(
    superuser: Client, acme: Organization, question: dict[str, str], expected: str
) -> None:
    writer, editor = agent(acme, "website/writer"), agent(acme, "website/editor")
    book_days(acme, "1", project=writer.project, agent=writer)
    book_days(acme, "2", project=editor.project, agent=editor)
    book_days(acme, "4", model="o3", endpoint="search")
    assert superuser.get(URL, question).json()["expected"] == expected


def test_a_scope_s_own_time_of_day_counts(superuser: Client, acme: Organization) -> None:
    # The model is used in the evening only: at noon nothing of it is spent usually, and all of it is to come.
    book_days(acme, "1", model="morning")
    for back in range(1, 15):
        day = date(2023, 11, 20) - timedelta(days=back)
        book(acme, "1", day=day, at=datetime(day.year, day.month, day.day, 20, tzinfo=UTC), model="evening")
    assert superuser.get(URL, {"period": "day", "model": "morning"}).json()["expected"] == "1"
    assert superuser.get(URL, {"period": "day", "model": "evening"}).json()["expected"] == "1"
    assert superuser.get(URL, {"period": "day", "model": "evening"}).json()["spent"] == "0"


def test_nobody_is_told_of_others(acme: Organization) -> None:
    other = organization("globex")
    writer = agent(acme, "website/writer")
    book_days(acme, "1", project=writer.project, agent=writer)
    book_days(acme, "2")
    book_days(other, "4")
    mary = person("mary", roles={acme: "viewer"})
    assert mary.get(URL).json()["expected"] == "75"
    assert mary.get(URL, {"organization": "globex"}).status_code == 404
    assert mary.get(URL, {"project": "globex/x"}).status_code == 404
    assert robot(acme, owner=writer).get(URL).json()["expected"] == "25"
    assert robot(acme, owner=writer.project).get(URL).json()["expected"] == "25"
    assert robot(acme, scopes="ingest").get(URL).status_code == 403


@pytest.mark.parametrize(
    ("question", "detail"),
    [
        ({"period": "year"}, "period: got 'year', expected day, week or month."),
        ({"period": ""}, "period: got '', expected day, week or month."),
        ({"model": ""}, "model: got '', expected a value, or no such parameter."),
    ],
)
def test_what_is_not_acceptable_is_refused(
    superuser: Client, acme: Organization, question: dict[str, str], detail: str
) -> None:
    answer = superuser.get(URL, question)
    assert (answer.status_code, answer.json()["detail"]) == (400, detail)


def test_an_unknown_parameter_is_refused(superuser: Client) -> None:
    assert superuser.get(URL, {"group_by": "model"}).status_code == 400


def test_who_asks_again_within_a_quarter_of_an_hour_has_it_already(superuser: Client, acme: Organization) -> None:
    book_days(acme, "2")
    etag = superuser.get(URL)["ETag"]
    with time_machine.travel(NOON + timedelta(minutes=14), tick=False):
        assert superuser.get(URL, headers={"If-None-Match": etag}).status_code == 304
    book(acme, "0.5", day=date(2023, 11, 20))
    assert superuser.get(URL, headers={"If-None-Match": etag}).status_code == 200


def test_unpriced_calls_are_told(superuser: Client, acme: Organization) -> None:
    book_days(acme, None)
    answer = superuser.get(URL)
    assert answer["Costtrack-Unpriced-Calls"] == "15"
    assert answer.json()["unpriced_calls"] == 15
