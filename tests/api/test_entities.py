from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.test import Client

from tests.reporting.booked import book, organization

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("slash", ["", "/"])
def test_an_entity_s_resource_summary(superuser: Client, slash: str) -> None:
    acme = organization()
    at = datetime(2023, 11, 16, 9, tzinfo=UTC)
    here = {"entity_type": "hypothesis", "entity_id": "h/1", "at": at}
    book(acme, "0.06", **here, input_tokens=1000, output_tokens=500, amount=1500)
    book(acme, None, **here, resource_type="api_call", model="", provider="pubmed", amount=1)
    assert superuser.get(f"/api/costs/entity/hypothesis/h/1{slash}").json() == {
        "entity_type": "hypothesis",
        "entity_id": "h/1",
        "total_cost": "0.06",
        "total_tokens": 1500,
        "total_calls": 2,
        "unpriced_calls": 1,
        "first_call": "2023-11-16T09:00:00+00:00",
        "last_call": "2023-11-16T09:00:00+00:00",
        "resources": [
            {"resource_type": "llm_tokens", "amount": "1500", "cost": "0.06", "calls": 1},
            {"resource_type": "api_call", "amount": "1", "cost": None, "calls": 1},
        ],
        "cost_by_model": {"gpt-4": "0.06", "pubmed": None},
        "cost_by_day": [{"date": "2023-11-16", "cost": "0.06"}],
    }


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_stats_of_an_entity_type(superuser: Client, slash: str) -> None:
    acme = organization()
    for entity_id, cost in (("h1", "1"), ("h2", "4")):
        book(acme, cost, entity_type="hypothesis", entity_id=entity_id, input_tokens=10)
    assert superuser.get(f"/api/costs/entity/hypothesis{slash}", {"limit": "1"}).json() == {
        "entity_type": "hypothesis",
        "entities": 2,
        "total_cost": "5",
        "total_tokens": 20,
        "total_calls": 2,
        "unpriced_calls": 0,
        "avg_cost_per_entity": "2.5",
        "top_entities": [{"entity_id": "h2", "total_cost": "4"}],
    }


def test_where_no_call_has_a_price_costs_are_null(superuser: Client) -> None:
    book(organization(), None, entity_type="hypothesis", entity_id="h1")
    one = superuser.get("/api/costs/entity/hypothesis/h1").json()
    assert (one["total_cost"], one["total_calls"], one["unpriced_calls"]) == (None, 1, 1)
    all_of_them = superuser.get("/api/costs/entity/hypothesis").json()
    assert (all_of_them["total_cost"], all_of_them["avg_cost_per_entity"]) == (None, None)


@pytest.mark.parametrize("path", ["hypothesis", "hypothesis/h1"])
def test_what_has_no_usage_is_a_404(superuser: Client, path: str) -> None:
    assert superuser.get(f"/api/costs/entity/{path}").status_code == 404
