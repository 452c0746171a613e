from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from costtrack.domain.periods import DayRange
from costtrack.reporting.conversations import conversation_totals, top_conversations
from tests.reporting.booked import book, organization, void

pytestmark = pytest.mark.django_db


def test_a_conversation_adds_up_over_days_models_and_endpoints(django_assert_num_queries: Any) -> None:
    acme = organization()
    first, last = datetime(2023, 11, 16, 23, 50, tzinfo=UTC), datetime(2023, 11, 17, 0, 10, tzinfo=UTC)
    book(acme, "0.06", thread_id="t1", at=first, input_tokens=1000, output_tokens=500)
    book(acme, "0.01", thread_id="t1", at=last, day=date(2023, 11, 17), model="gpt-3.5-turbo", endpoint="title")
    book(acme, None, thread_id="t1", at=last, day=date(2023, 11, 17), model="mystery")
    book(acme, "5", thread_id="t2")
    with django_assert_num_queries(1):
        conversation = conversation_totals("t1", organizations=[acme])
    with django_assert_num_queries(2):
        assert conversation_totals("t1") == conversation
    assert conversation is not None
    whole = conversation.breakdown
    assert (whole.figures.calls, whole.figures.unpriced_calls, whole.figures.total_tokens) == (3, 1, 1500)
    assert whole.figures.cost_usd == Decimal("0.07")
    assert [(line.name, line.figures.known_cost_usd) for line in whole.by_model] == [
        ("gpt-4", Decimal("0.06")),
        ("gpt-3.5-turbo", Decimal("0.01")),
        ("mystery", None),
    ]
    assert [line.name for line in whole.by_endpoint] == ["chat", "title"]
    assert conversation.days == DayRange(date(2023, 11, 16), date(2023, 11, 18))
    assert (conversation.first_call_at, conversation.last_call_at) == (first, last)


def test_a_tool_in_a_conversation_is_told_by_its_name() -> None:
    acme = organization()
    for resource_type in ("api_call", "web_search"):
        book(acme, "0.04", thread_id="t1", model="", provider="pubmed", resource_type=resource_type)
    conversation = conversation_totals("t1")
    assert conversation is not None
    [line] = conversation.breakdown.by_model
    assert (line.name, line.figures.calls, line.figures.cost_usd) == ("pubmed", 2, Decimal("0.08"))


def test_a_correction_is_no_call() -> None:
    acme = organization()
    at = datetime(2023, 11, 16, 8, tzinfo=UTC)
    void(book(acme, "2", thread_id="t1", at=at), at=datetime(2023, 11, 15, tzinfo=UTC))
    void(book(acme, "2", thread_id="t1", at=at), at=datetime(2023, 11, 17, tzinfo=UTC))
    conversation = conversation_totals("t1")
    assert conversation is not None
    assert (conversation.breakdown.figures.calls, conversation.breakdown.figures.cost_usd) == (0, 0)
    assert (conversation.first_call_at, conversation.last_call_at) == (at, at)


def test_usage_without_a_conversation_is_none() -> None:
    book(organization(), "1")
    assert conversation_totals("") is None
    assert conversation_totals("unheard-of") is None
    assert top_conversations(None) == ()


def test_an_organization_sees_its_own_part_only() -> None:
    acme, globex = organization("acme"), organization("globex")
    book(acme, "1", thread_id="t1")
    book(globex, "2", thread_id="t1")
    mine = conversation_totals("t1", organizations=[globex])
    assert mine is not None
    assert mine.breakdown.figures.cost_usd == 2
    assert conversation_totals("t1", organizations=[]) is None
    assert [line.figures.cost_usd for line in top_conversations(None, organizations=[acme])] == [1]
    assert [line.figures.cost_usd for line in top_conversations(None)] == [3]


def test_the_dearest_conversations_come_first_equal_ones_by_id_unpriced_ones_last(
    django_assert_num_queries: Any,
) -> None:
    acme = organization()
    for thread, cost in (("b", "1"), ("a", "1"), ("c", "3"), ("unknown", None), ("d", "0.5")):
        book(acme, cost, thread_id=thread)
    with django_assert_num_queries(1):
        lines = top_conversations(None)
    assert [line.name for line in lines] == ["c", "a", "b", "d", "unknown"]
    assert [line.name for line in top_conversations(None, 2)] == ["c", "a"]


def test_days_narrow_the_top() -> None:
    acme = organization()
    book(acme, "1", thread_id="a", day=date(2023, 11, 15))
    book(acme, "2", thread_id="b", day=date(2023, 11, 16))
    days = DayRange(date(2023, 11, 15), date(2023, 11, 16))
    assert [line.name for line in top_conversations(days)] == ["a"]
