from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from costtrack.reporting.entities import entity_summary, entity_type_stats
from tests.reporting.booked import book, organization, void

pytestmark = pytest.mark.django_db


def test_the_resource_summary_of_one_entity(django_assert_num_queries: Any) -> None:
    acme = organization()
    here = {"entity_type": "hypothesis", "entity_id": "h1"}
    book(
        acme,
        "0.06",
        **here,
        input_tokens=1000,
        output_tokens=500,
        amount=1500,
        at=datetime(2023, 11, 16, 9, tzinfo=UTC),
    )
    book(acme, "0.03", **here, input_tokens=500, output_tokens=250, amount=750, day=date(2023, 11, 17))
    book(acme, None, **here, resource_type="api_call", model="", provider="pubmed", amount=1)
    book(acme, "7", entity_type="analysis", entity_id="h1")
    with django_assert_num_queries(1):
        entity = entity_summary("hypothesis", "h1", organizations=[acme])
    with django_assert_num_queries(2):
        assert entity_summary("hypothesis", "h1") == entity
    assert entity is not None
    figures = entity.figures
    assert (figures.calls, figures.unpriced_calls, figures.total_tokens) == (3, 1, 2250)
    assert figures.cost_usd == Decimal("0.09")
    assert [(line.name, line.figures.amount, line.figures.known_cost_usd) for line in entity.by_resource_type] == [
        ("llm_tokens", 2250, Decimal("0.09")),
        ("api_call", 1, None),
    ]
    assert [line.name for line in entity.by_model] == ["gpt-4", "pubmed"]
    assert [(each.day.day, each.figures.cost_usd) for each in entity.by_day] == [
        (16, Decimal("0.06")),
        (17, Decimal("0.03")),
    ]
    assert entity.first_call_at == datetime(2023, 11, 16, 9, tzinfo=UTC)


def test_an_entity_without_usage_is_none() -> None:
    book(organization(), "1", entity_type="hypothesis", entity_id="h1")
    assert entity_summary("hypothesis", "h2") is None
    assert entity_summary("hypothesis", "") is None
    assert entity_summary("hypothesis", "h1", organizations=[]) is None


def test_stats_of_an_entity_type(django_assert_num_queries: Any) -> None:
    acme = organization()
    for entity_id, cost in (("h1", "1"), ("h1", "2"), ("h2", "4"), ("h3", None)):
        book(acme, cost, entity_type="hypothesis", entity_id=entity_id)
    void(book(acme, "9", entity_type="hypothesis", entity_id="h2"))
    book(acme, "100", entity_type="analysis", entity_id="a1")
    with django_assert_num_queries(2):
        stats = entity_type_stats("hypothesis", limit=2)
    assert (stats.entities, stats.figures.calls, stats.figures.unpriced_calls) == (3, 4, 1)
    assert stats.figures.cost_usd == 7
    # 7 / 3 = 2.333333333333...
    assert stats.average_cost_usd == Decimal("2.333333333333")
    assert [(line.name, line.figures.cost_usd) for line in stats.dearest] == [("h2", 4), ("h1", 3)]


def test_entities_without_a_price_have_no_average_cost() -> None:
    book(organization(), None, entity_type="hypothesis", entity_id="h1")
    assert entity_type_stats("hypothesis").average_cost_usd is None


def test_a_type_without_entities_has_stats_of_zero() -> None:
    stats = entity_type_stats("hypothesis")
    assert (stats.entities, stats.figures.cost_usd, stats.average_cost_usd, stats.dearest) == (0, 0, 0, ())
