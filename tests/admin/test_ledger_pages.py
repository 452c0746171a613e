"""The ledger's pages: to older and to newer rows, at any depth for the price of the first, with the filters kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from html import unescape

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from costtrack.admin.ledger import ResourceUsageAdmin
from costtrack.models import Agent, ResourceUsage
from tests.admin.rows import listing, page, use

pytestmark = pytest.mark.django_db

LEDGER = "costtrack_resourceusage"


@pytest.fixture(autouse=True)
def three_on_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ResourceUsageAdmin, "list_per_page", 3)


@pytest.fixture
def ids(agent: Agent) -> list[int]:
    """Eight rows, the newest first: the agent's own, three of April that failed, four others."""
    for number in range(7):
        april = {"day": date(2026, 4, 2), "outcome": "error", "errors": 1}
        use(agent, **(april if number in (1, 3, 5) else {}))
    return sorted(ResourceUsage.objects.values_list("pk", flat=True), reverse=True)


def shown(browser: Client, **query: object) -> list[int]:
    return [row.pk for row in browser.get(listing("resourceusage"), query).context["cl"].result_list]


def links(text: str) -> dict[str, str]:
    """The addresses of the ways from a page, by what they say."""
    nav = re.search(r'<nav class="costtrack-pages".*?</nav>', text, re.DOTALL)
    assert nav is not None
    return {name: unescape(href) for href, name in re.findall(r'<a href="([^"]+)"[^>]*>([^<]+)</a>', nav[0])}


def walked(browser: Client, way: str, address: str = "") -> Iterator[tuple[list[int], dict[str, str]]]:
    """The pages one comes to by following the links of that name, the one at the address first."""
    while True:
        answer = browser.get(listing("resourceusage") + address)
        found = links(answer.content.decode())
        yield [row.pk for row in answer.context["cl"].result_list], found
        if way not in found:
            return
        address = found[way]


def test_every_row_is_on_one_page_whichever_way_one_goes(browser: Client, ids: list[int]) -> None:
    downwards = list(walked(browser, "Older"))
    assert [rows for rows, _ in downwards] == [ids[:3], ids[3:6], ids[6:]]
    assert [set(ways) for _, ways in downwards] == [{"Older"}, {"Newest", "Newer", "Older"}, {"Newest", "Newer"}]

    upwards = list(walked(browser, "Newer", f"?older={ids[5]}"))
    assert [rows for rows, _ in upwards] == [ids[6:], ids[3:6], ids[:3]]
    assert next(iter(walked(browser, "", upwards[0][1]["Newest"])))[0] == ids[:3]


def test_rows_that_come_meanwhile_move_no_page(browser: Client, agent: Agent, ids: list[int]) -> None:
    older = links(page(browser, listing("resourceusage")))["Older"]
    use(agent)

    assert next(iter(walked(browser, "", older)))[0] == ids[3:6]


def test_near_the_top_the_newer_page_is_the_newest(browser: Client, ids: list[int]) -> None:
    assert shown(browser, newer=ids[2]) == ids[:3]
    assert shown(browser, newer=ids[0]) == ids[:3]
    assert shown(browser, newer=ids[3]) == ids[:3]
    assert shown(browser, newer=ids[4]) == ids[1:4]


def test_filters_dates_and_the_search_are_kept(browser: Client, ids: list[int]) -> None:
    query = "?day__month=4&day__year=2026&outcome__exact=error"
    failed = [ids[5], ids[3], ids[1]]
    assert shown(browser, outcome__exact="error", day__year="2026", day__month="4") == sorted(failed, reverse=True)
    text = page(browser, listing("resourceusage") + f"{query}&older={max(failed)}")

    assert links(text)["Newer"] == f"?day__month=4&day__year=2026&newer={sorted(failed)[1]}&outcome__exact=error"
    assert re.search(r"#\d+ to #\d+", text)
    # Another question begins at its newest row: no link but those of the pages, and no field of the search, names one.
    outside = re.sub(r'<nav class="costtrack-pages".*?</nav>', "", text, flags=re.DOTALL)
    assert not re.search(r"[?&;]older=", outside)
    assert 'name="older"' not in outside
    assert '<input type="hidden" name="outcome__exact" value="error">' in outside


def test_the_way_back_from_a_row_leads_to_its_page(browser: Client, ids: list[int]) -> None:
    text = page(browser, listing("resourceusage"), older=str(ids[2]))

    assert f"_changelist_filters=older%3D{ids[2]}" in text


def test_a_page_deep_in_the_ledger_asks_what_the_first_one_asks(browser: Client, ids: list[int]) -> None:
    asked = []
    for query in ({}, {"older": ids[3]}, {"newer": ids[5]}):
        with CaptureQueriesContext(connection) as captured:
            page(browser, listing("resourceusage"), **query)
        asked.append([one["sql"] for one in captured if f'FROM "{LEDGER}"' in one["sql"]])

    first, older, newer = asked
    assert len(first) == len(older) == len(newer)
    assert f'"{LEDGER}"."id" < {ids[3]}' in older[-1]
    assert f'"{LEDGER}"."id" > {ids[5]}' in newer[-1]
    for sql in (*first, *older, *newer):
        assert "COUNT(" not in sql
        assert "OFFSET" not in sql


def test_no_address_sorts_by_another_column(browser: Client, ids: list[int]) -> None:
    assert shown(browser, o="0") == ids[:3]  # the first column, the id, upwards
    assert shown(browser, o="3.-1") == ids[:3]


@pytest.mark.parametrize("query", ["older=x", "older=", "newer=-1", "newer=" + "9" * 30, "older=5&newer=3", "older=0"])
def test_a_page_that_can_not_be_is_the_first_one(browser: Client, ids: list[int], query: str) -> None:
    answer = browser.get(f"{listing('resourceusage')}?{query}", follow=True)

    assert answer.status_code == 200
    assert [row.pk for row in answer.context["cl"].result_list] == ids[:3]


def test_a_page_after_the_last_row_is_empty_and_leads_back(browser: Client, ids: list[int]) -> None:
    text = page(browser, listing("resourceusage"), older=str(ids[-1]))

    assert links(text) == {"Newest": "?"}
    assert "0 results" not in text
