from __future__ import annotations

from datetime import date
from typing import Any

import pytest
import time_machine
from django.test import Client

from tests.reporting.booked import book, organization

pytestmark = pytest.mark.django_db

KEYS = {
    "period_start",
    "period_end",
    "total_cost",
    "total_tokens",
    "total_calls",
    "cost_by_model",
    "cost_by_endpoint",
    "avg_cost_per_call",
    "avg_tokens_per_call",
}


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_day_is_told_with_exactly_its_keys(superuser: Client, slash: str) -> None:
    acme = organization()
    book(acme, "0.06", input_tokens=1000, output_tokens=500)
    book(acme, "0.0000045", input_tokens=3, output_tokens=0, model="gpt-3.5-turbo", endpoint="")
    book(acme, None, model="mystery", endpoint="")
    book(acme, "9", day=date(2023, 11, 17))
    response = superuser.get(f"/api/costs/daily{slash}", {"target_date": "2023-11-16"})
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    # Over the 2 priced calls 0.0600045 / 2 = 0.03000225; 1,503 / 3 = 501
    assert response.json() == {
        "period_start": "2023-11-16T00:00:00+00:00",
        "period_end": "2023-11-17T00:00:00+00:00",
        "total_cost": "0.0600045",
        "total_tokens": 1503,
        "total_calls": 3,
        "cost_by_model": {"gpt-4": "0.06", "gpt-3.5-turbo": "0.0000045", "mystery": None},
        "cost_by_endpoint": {"chat": "0.06", "": "0.0000045"},
        "avg_cost_per_call": "0.03000225",
        "avg_tokens_per_call": "501",
    }
    assert list(response.json()["cost_by_model"]) == ["gpt-4", "gpt-3.5-turbo", "mystery"]
    assert response["Costtrack-Unpriced-Calls"] == "1"


@pytest.mark.parametrize("path", ["daily", "weekly", "monthly", "conversation/t1"])
def test_where_no_call_has_a_price_the_cost_is_null_and_not_zero(superuser: Client, path: str) -> None:
    acme = organization()
    book(acme, None, thread_id="t1", input_tokens=10)
    book(acme, None, thread_id="t1", model="", provider="pubmed")
    question = {} if path.startswith("conversation") else {"target_date": "2023-11-16"}
    response = superuser.get(f"/api/costs/{path}", question)
    answer = response.json()
    assert set(answer) >= KEYS
    assert (answer["total_cost"], answer["avg_cost_per_call"]) == (None, None)
    assert (answer["total_calls"], answer["total_tokens"], answer["avg_tokens_per_call"]) == (2, 10, "5")
    assert answer["cost_by_model"] == {"gpt-4": None, "pubmed": None}
    assert response["Costtrack-Unpriced-Calls"] == "2"


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(
    ("period", "start", "end", "cost"),
    [("weekly", "2023-11-13", "2023-11-20", "14"), ("monthly", "2023-11-01", "2023-12-01", "31")],
)
def test_weeks_start_on_monday_and_months_on_the_first(
    superuser: Client, period: str, start: str, end: str, cost: str, slash: str
) -> None:
    acme = organization()
    costs = {"2023-11-12": "1", "2023-11-13": "2", "2023-11-16": "4", "2023-11-19": "8", "2023-11-20": "16"}
    for day, each in {**costs, "2023-10-31": "100", "2023-12-01": "200"}.items():
        book(acme, each, day=date.fromisoformat(day))
    answer = superuser.get(f"/api/costs/{period}{slash}", {"target_date": "2023-11-16"}).json()
    assert set(answer) == KEYS
    assert answer["period_start"] == f"{start}T00:00:00+00:00"
    assert answer["period_end"] == f"{end}T00:00:00+00:00"
    assert answer["total_cost"] == cost


def test_a_period_without_usage_is_all_zeros(superuser: Client) -> None:
    answer = superuser.get("/api/costs/daily", {"target_date": "2023-11-16"}).json()
    assert set(answer) == KEYS
    assert (answer["total_cost"], answer["total_calls"], answer["cost_by_model"]) == ("0", 0, {})
    assert (answer["avg_cost_per_call"], answer["avg_tokens_per_call"]) == ("0", "0")


def test_a_day_of_25_hours_ends_at_its_own_midnight(superuser: Client) -> None:
    organization("acme", "America/New_York")
    answer = superuser.get("/api/costs/daily", {"target_date": "2023-11-05", "organization": "acme"}).json()
    assert answer["period_start"] == "2023-11-05T00:00:00-04:00"
    assert answer["period_end"] == "2023-11-06T00:00:00-05:00"


def test_the_zone_is_that_of_the_organization_asked_for(superuser: Client) -> None:
    organization("acme", "America/New_York")
    organization("bharat", "Asia/Kolkata")
    question = {"target_date": "2023-11-16"}
    in_india = superuser.get("/api/costs/daily", {**question, "organization": "bharat"}).json()
    assert in_india["period_start"] == "2023-11-16T00:00:00+05:30"
    assert in_india["period_end"] == "2023-11-17T00:00:00+05:30"
    of_all = superuser.get("/api/costs/daily", question).json()
    assert of_all["period_start"] == "2023-11-16T00:00:00+00:00"


@pytest.mark.parametrize(("slug", "today"), [("acme", "2023-11-15"), ("bharat", "2023-11-16")])
def test_today_is_the_organizations_own(superuser: Client, slug: str, today: str) -> None:
    organization("acme", "America/New_York")
    organization("bharat", "Asia/Kolkata")
    with time_machine.travel("2023-11-16T02:00:00Z", tick=False):
        answer = superuser.get("/api/costs/daily", {"organization": slug}).json()
    assert answer["period_start"].startswith(f"{today}T00:00:00")


def test_an_organization_narrows_every_figure(superuser: Client) -> None:
    acme, globex = organization("acme"), organization("globex")
    book(acme, "1", model="a")
    book(globex, "2", model="b")
    question = {"target_date": "2023-11-16"}
    answer = superuser.get("/api/costs/daily", {**question, "organization": "globex"}).json()
    assert (answer["total_cost"], answer["total_calls"], answer["cost_by_model"]) == ("2", 1, {"b": "2"})
    assert superuser.get("/api/costs/daily", question).json()["total_cost"] == "3"


def test_a_day_takes_five_queries_however_much_there_is(superuser: Client, django_assert_num_queries: Any) -> None:
    acme = organization()
    for number in range(20):
        book(acme, "1", model=f"model-{number}", endpoint=f"endpoint-{number}")
    # The session, the user, the organization, its zones, the sums.
    with django_assert_num_queries(5):
        superuser.get("/api/costs/daily", {"target_date": "2023-11-16", "organization": "acme"})
    with django_assert_num_queries(5):
        superuser.get("/api/costs/monthly", {"target_date": "2023-11-16"})
