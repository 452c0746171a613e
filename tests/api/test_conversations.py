from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from tests.api.test_periods import KEYS
from tests.reporting.booked import book, organization

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_conversation_is_told_like_a_period_with_its_first_and_last_call(superuser: Client, slash: str) -> None:
    acme = organization("acme", "America/New_York")
    book(acme, "0.06", thread_id="t1", at=datetime(2023, 11, 16, 15, 30, tzinfo=UTC), input_tokens=1000)
    book(acme, "0.01", thread_id="t1", at=datetime(2023, 11, 18, 3, tzinfo=UTC), day=date(2023, 11, 17))
    response = superuser.get(f"/api/costs/conversation/t1{slash}")
    assert response.status_code == 200
    assert set(response.json()) == KEYS | {"first_call", "last_call"}
    assert response.json() == {
        "period_start": "2023-11-16T00:00:00-05:00",
        "period_end": "2023-11-18T00:00:00-05:00",
        "total_cost": "0.07",
        "total_tokens": 1000,
        "total_calls": 2,
        "cost_by_model": {"gpt-4": "0.07"},
        "cost_by_endpoint": {"chat": "0.07"},
        "avg_cost_per_call": "0.035",
        "avg_tokens_per_call": "500",
        "first_call": "2023-11-16T10:30:00-05:00",
        "last_call": "2023-11-17T22:00:00-05:00",
    }
    assert response["Costtrack-Unpriced-Calls"] == "0"


@pytest.mark.parametrize("name", ["user/7/chat", "a b", "ünï", "100%", "x.y", "t1?"])
def test_an_id_may_hold_any_characters(superuser: Client, name: str) -> None:
    book(organization(), "1", thread_id=name)
    assert superuser.get(f"/api/costs/conversation/{quote(name)}").json()["total_cost"] == "1"
    assert superuser.get(f"/api/costs/conversation/{quote(name, safe='')}/").json()["total_cost"] == "1"


def test_an_unknown_conversation_is_a_404(superuser: Client) -> None:
    book(organization("acme"), "1", thread_id="t1")
    organization("globex")
    for path in ("t2", "t1?organization=globex"):
        response = superuser.get(f"/api/costs/conversation/{path}")
        assert response.status_code == 404
        assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_top_is_a_list_of_conversations_and_costs(superuser: Client, slash: str) -> None:
    acme = organization()
    for thread, cost in (("b", "1"), ("a", "2.5"), ("c", "0.000001"), ("", "50")):
        book(acme, cost, thread_id=thread)
    assert superuser.get(f"/api/costs/top-conversations{slash}").json() == [
        {"conversation_id": "a", "total_cost": "2.5"},
        {"conversation_id": "b", "total_cost": "1"},
        {"conversation_id": "c", "total_cost": "0.000001"},
    ]
    assert len(superuser.get(f"/api/costs/top-conversations{slash}", {"limit": "1"}).json()) == 1


def test_the_top_has_ten_by_default_and_a_hundred_at_most(superuser: Client) -> None:
    acme = organization()
    for number in range(11):
        book(acme, "1", thread_id=f"t{number}")
    assert len(superuser.get("/api/costs/top-conversations").json()) == 10
    assert len(superuser.get("/api/costs/top-conversations", {"limit": "100"}).json()) == 11


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        ({"period_start": "2023-11-16"}, ["c", "b"]),
        ({"period_end": "2023-11-16"}, ["a"]),
        ({"period_start": "2023-11-16", "period_end": "2023-11-17"}, ["b"]),
        ({"period_start": "2023-11-16T00:00:00+05:30", "period_end": "2023-11-17T00:00:00+05:30"}, ["b"]),
        ({"period_start": "2024-01-01", "period_end": "2024-02-01"}, []),
    ],
)
def test_a_period_s_end_is_exclusive_and_its_edges_are_days_or_the_midnights_that_reports_give(
    superuser: Client, period: dict[str, str], expected: list[str]
) -> None:
    acme = organization("bharat", "Asia/Kolkata")
    for day, (thread, cost) in zip((15, 16, 17), (("a", "1"), ("b", "2"), ("c", "3")), strict=True):
        book(acme, cost, thread_id=thread, day=date(2023, 11, day))
    answer = superuser.get("/api/costs/top-conversations", period).json()
    assert [each["conversation_id"] for each in answer] == expected


def test_conversations_take_few_queries(superuser: Client, django_assert_num_queries: Any) -> None:
    acme = organization()
    for number in range(20):
        book(acme, "1", thread_id="t1", model=f"model-{number}")
    # The session, the user, the organization, its zones, the sums.
    with django_assert_num_queries(5):
        superuser.get("/api/costs/conversation/t1", {"organization": "acme"})
    with django_assert_num_queries(4):
        superuser.get("/api/costs/top-conversations", {"organization": "acme"})
