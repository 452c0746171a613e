from __future__ import annotations

from datetime import date
from typing import Any

import pytest
import time_machine
from django.test import Client

from tests.reporting.booked import book, organization

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("slash", ["", "/"])
@time_machine.travel("2023-11-18T10:00:00Z", tick=False)
def test_a_trend_is_a_date_and_a_cost_per_day_up_to_today(superuser: Client, slash: str) -> None:
    acme = organization()
    book(acme, "1.5", day=date(2023, 11, 16))
    book(acme, None, day=date(2023, 11, 18))
    book(acme, "9", day=date(2023, 11, 15))
    assert superuser.get(f"/api/costs/trend{slash}", {"days": "3"}).json() == [
        {"date": "2023-11-16", "cost": "1.5"},
        {"date": "2023-11-17", "cost": "0"},
        {"date": "2023-11-18", "cost": None},
    ]


@pytest.mark.parametrize(("question", "length"), [({}, 30), ({"days": "1"}, 1), ({"days": "365"}, 365)])
def test_a_trend_has_30_days_unless_asked(superuser: Client, question: dict[str, str], length: int) -> None:
    assert len(superuser.get("/api/costs/trend", question).json()) == length


@time_machine.travel("2023-11-16T02:00:00Z", tick=False)
def test_a_trend_ends_with_the_organization_s_own_today(superuser: Client) -> None:
    organization("acme", "America/New_York")
    organization("bharat", "Asia/Kolkata")
    last = [superuser.get("/api/costs/trend", {"organization": slug}).json()[-1]["date"] for slug in ("acme", "bharat")]
    assert last == ["2023-11-15", "2023-11-16"]


def test_a_trend_takes_one_query_for_its_sums(superuser: Client, django_assert_num_queries: Any) -> None:
    organization()
    # The session, the user, the organization, its zones, the sums.
    with django_assert_num_queries(5):
        superuser.get("/api/costs/trend", {"days": "365", "organization": "acme"})
