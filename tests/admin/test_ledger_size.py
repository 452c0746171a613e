"""What the ledger's list asks of the database: nothing that reads every row."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from costtrack.admin import large_lists, paginator
from costtrack.admin.paginator import estimated_rows
from costtrack.models import Agent, Organization, ResourceUsage
from tests.admin.rows import listing, page, summarize, use

pytestmark = pytest.mark.django_db

LEDGER = "costtrack_resourceusage"


def test_the_list_takes_as_many_queries_for_many_rows_as_for_one(
    browser: Client, agent: Agent, django_assert_num_queries: Callable[..., Any]
) -> None:
    with CaptureQueriesContext(connection) as one:
        page(browser, listing("resourceusage"))
    for number in range(20):
        use(agent.project.agents.create(slug=f"agent-{number}"))
    with django_assert_num_queries(len(one)):
        page(browser, listing("resourceusage"))


def test_the_list_asks_the_ledger_for_one_page_and_for_no_count(browser: Client, agent: Agent) -> None:
    with CaptureQueriesContext(connection) as queries:
        page(browser, listing("resourceusage"))

    asked = [query["sql"] for query in queries if f'FROM "{LEDGER}"' in query["sql"]]
    if connection.vendor != "postgresql":
        highest = asked.pop(0)
        assert highest.endswith("ORDER BY 1 DESC LIMIT 1")
    [rows] = asked
    assert rows.endswith(f'ORDER BY "{LEDGER}"."id" DESC LIMIT 101')
    for word in ("COUNT(", "DISTINCT", "MIN("):
        assert word not in rows


def test_a_period_is_a_half_open_range_of_days_so_that_partitions_are_left_out(browser: Client, agent: Agent) -> None:
    with CaptureQueriesContext(connection) as queries:
        page(browser, listing("resourceusage"), day__year="2026", day__month="3")

    asked = [query["sql"] for query in queries if f'FROM "{LEDGER}"' in query["sql"] and "WHERE" in query["sql"]]
    [sql] = asked
    assert f'"{LEDGER}"."day" >= ' in sql
    assert f'"{LEDGER}"."day" < ' in sql


def test_more_summaries_than_can_be_listed_are_counted_no_further(
    browser: Client, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    for month in (1, 2, 3):
        summarize(agent, day=date(2026, month, 1))
    monkeypatch.setattr(paginator, "MOST_ROWS_LISTED", 4)
    assert "More rows match" not in page(browser, listing("dailycostsummary"))

    monkeypatch.setattr(paginator, "MOST_ROWS_LISTED", 3)
    text = page(browser, listing("dailycostsummary"))

    assert "More rows match; the newest 3 are listed." in text
    assert browser.get(listing("dailycostsummary")).context["cl"].result_count == 3


def test_the_size_of_the_ledger_is_estimated(agent: Agent) -> None:
    for _ in range(4):
        use(agent, day=date(2026, 4, 1))
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE {LEDGER}")
        assert estimated_rows(ResourceUsage, using="default") == 5
    else:
        highest = max(ResourceUsage.objects.values_list("pk", flat=True))
        assert estimated_rows(ResourceUsage, using="default") == highest
    assert estimated_rows(Organization, using="default") >= 0


UNINDEXED: list[dict[str, str]] = [
    {"provider": "openai"},
    {"kind__exact": "void"},
    {"outcome__exact": "error"},
    {"organization": "1", "provider": "x"},
]


@pytest.mark.parametrize(
    ("model", "query"), [*(("resourceusage", query) for query in UNINDEXED), ("dailycostsummary", {})]
)
def test_what_would_read_all_dates_of_a_large_table_opens_on_its_newest_month(
    browser: Client, agent: Agent, monkeypatch: pytest.MonkeyPatch, model: str, query: dict[str, str]
) -> None:
    summarize(agent, day=date(2026, 4, 2))
    query = query | ({"organization": str(agent.project.organization.pk)} if "organization" in query else {})
    assert browser.get(listing(model), query).status_code == 200

    monkeypatch.setattr(large_lists, "LARGE", 0)
    narrowed = browser.get(listing(model), query)

    assert narrowed.status_code == 302
    sent = parse_qs(urlsplit(narrowed.headers["Location"]).query)
    assert sent == {name: [value] for name, value in {**query, "day__year": "2026", "day__month": "4"}.items()}
    assert "one month at a time" in page(browser, narrowed.headers["Location"])
    assert browser.get(listing(model), {**query, "day__year": "2026"}).status_code == 200


@pytest.mark.parametrize(
    ("model", "query"),
    [
        ("resourceusage", {}),
        ("resourceusage", {"organization": "1"}),
        ("resourceusage", {"q": "thread-9"}),
        ("resourceusage", {"q": "thread-9", "provider": "openai"}),
        ("dailycostsummary", {"organization": "1"}),
    ],
)
def test_what_an_index_answers_shows_all_dates_of_a_large_table(
    browser: Client, agent: Agent, monkeypatch: pytest.MonkeyPatch, model: str, query: dict[str, str]
) -> None:
    monkeypatch.setattr(large_lists, "LARGE", 0)

    page(browser, listing(model), **query)


@pytest.mark.parametrize("model", ["resourceusage", "dailycostsummary"])
def test_a_large_table_without_usage_opens(browser: Client, monkeypatch: pytest.MonkeyPatch, model: str) -> None:
    monkeypatch.setattr(large_lists, "LARGE", 0)

    page(browser, listing(model), provider="openai")
