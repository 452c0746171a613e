"""The summaries' list: each call once, and the totals of what is filtered."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from costtrack.models import Agent, DailyCostSummary
from tests.admin.rows import changing, listing, page, summarize

pytestmark = pytest.mark.django_db


def totals(browser: Client, **query: str) -> dict[str, str]:
    shown = browser.get(listing("dailycostsummary"), query).context["totals"]
    return {total["title"]: total["figure"].split(">")[1].split("<")[0] for total in shown}


def test_the_totals_follow_the_filters_and_count_no_call_twice(browser: Client, agent: Agent) -> None:
    folded = {"grain": "agent", "dimensions_hash": uuid4(), "day": date(2026, 4, 1), "provider": "mistral"}
    summarize(agent, **folded, calls=1_200, cost_usd=Decimal("12.5"), input_tokens=2_000_000, unpriced_calls=3)
    summarize(agent, grain="project", dimensions_hash=uuid4(), cost_usd=Decimal(99), calls=99)

    assert totals(browser) == {
        # 0.06 + 12.5; the project grain says the same calls again and is left out.
        "cost usd": "$12.560000",
        "calls": "1,201",
        "errors": "0",
        "unpriced calls": "3",
        "input tokens": "2,001,000",
        "output tokens": "1,000",
    }
    assert totals(browser, provider="openai")["cost usd"] == "$0.060000"
    assert totals(browser, day__year="2026", day__month="4")["calls"] == "1,200"
    assert totals(browser, organization="0")["cost usd"] == "$0.000000"
    assert "Totals of all rows that match" in page(browser, listing("dailycostsummary"))


def test_a_bad_address_has_no_totals_and_no_error(browser: Client, agent: Agent) -> None:
    assert browser.get(listing("dailycostsummary"), {"day__year": "x"}, follow=True).status_code == 200


def test_the_page_of_a_summary_shows_every_sum(browser: Client, agent: Agent) -> None:
    text = page(browser, changing(DailyCostSummary.objects.get()))

    assert '<th scope="row">cost estimated usd</th><td><span class="costtrack-figure">$0.060000</span></td>' in text
    assert '<th scope="row">input tokens</th><td><span class="costtrack-figure">1,000</span></td>' in text


def test_the_list_takes_as_many_queries_for_many_rows_as_for_one(
    browser: Client, agent: Agent, django_assert_num_queries: Callable[..., Any]
) -> None:
    with CaptureQueriesContext(connection) as one:
        page(browser, listing("dailycostsummary"))
    for number in range(20):
        summarize(agent.project.agents.create(slug=f"agent-{number}"))
    with django_assert_num_queries(len(one)):
        page(browser, listing("dailycostsummary"))
