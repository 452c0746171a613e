"""The usage explorer: rows with the rate and the arithmetic of each cost, filtered, paged, corrected."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client

from costtrack.models import Agent, Organization, ResourceUsage
from costtrack.reporting import usage_pages
from tests.dashboard.reading import ROOT, opened
from tests.factories import make_rate
from tests.reporting.booked import agent, book, void

pytestmark = pytest.mark.django_db


def priced(acme: Organization, **fields: object) -> ResourceUsage:
    """1,000 x 3 + 100 x 15 USD per million: 0.0045 USD."""
    rate = make_rate("gpt-4", is_used=True)
    return book(acme, "0.0045", provider="openai", input_tokens=1000, output_tokens=100, rate=rate, **fields)


def test_a_row_tells_how_its_cost_came_about(viewer: Client, acme: Organization) -> None:
    bot = agent(acme, "web/bot")
    row = priced(acme, agent=bot, project=bot.project)
    page = opened(viewer, "usage/")
    assert page.by_id("ct-usage").rows == [
        [
            "16 Nov 2023, 12:00",
            "web / bot chat",
            "gpt-4",
            "1,000 in, 100 out",
            "$0.004500 estimated",
            "1,000 input tokens × $3 per 1M + 100 output tokens × $15 per 1M openai/gpt-4, standard",  # noqa: RUF001
        ]
    ]
    assert page.by_id("ct-usage").one("a").attributes["href"] == f"/costs/usage/{row.pk}/"


@pytest.mark.parametrize("name", ["entity_type", "entity_id", "sprint", "workflow", "stage"])
def test_a_link_may_ask_for_what_the_form_has_no_field_of(viewer: Client, acme: Organization, name: str) -> None:
    book(acme, "1", **{name: "42"})
    book(acme, "2", **{name: "43"})
    fields = {one.attributes["name"] for one in opened(viewer, "usage/").by_id("ct-filter").all("input")}
    assert name not in fields
    page = opened(viewer, "usage/", **{name: "42"})
    assert [row[4].split()[0] for row in page.by_id("ct-usage").rows] == ["$1.000000"]
    values = {one.attributes["name"]: one.attributes["value"] for one in page.by_id("ct-filter").all("input")}
    assert values[name] == "42"


def test_one_row_has_its_arithmetic_its_columns_and_its_corrections(viewer: Client, acme: Organization) -> None:
    row = priced(acme, tags={"env": "prod"})
    taken_back = void(row)
    page = opened(viewer, f"usage/{row.pk}/")
    assert page.by_id("ct-arithmetic").rows == [
        ["input tokens", "1,000", "$3 per 1M", "$0.003"],
        ["output tokens", "100", "$15 per 1M", "$0.0015"],
    ]
    assert page.by_id("ct-arithmetic").one("tfoot").text == "Total $0.0045"
    facts = {
        one.one("dt").text: one.one("dd").text for one in page.all("div") if one.all("dt") and len(one.all("dd")) == 1
    }
    assert facts["Booked"] == "$0.004500 estimated"
    assert facts["With its corrections"] == "$0.000000"
    assert facts["Rate"] == "openai/gpt-4, standard"
    assert facts["tags"] == '{"env": "prod"}'
    assert facts["cost usd"] == "0.0045"
    assert "customer" not in facts
    [corrections] = [one for one in page.all("table") if one.one("caption").text.startswith("Corrections")]
    assert [cell[:3] for cell in corrections.rows] == [[str(taken_back.pk), "void", "-$0.004500"]]
    correction = opened(viewer, f"usage/{taken_back.pk}/")
    assert "A correction" in correction.text
    assert f"/costs/usage/{row.pk}/" in [link.attributes["href"] for link in correction.all("a")]


def test_an_unpriced_row_says_that_no_price_was_known(viewer: Client, acme: Organization) -> None:
    row = book(acme, None)
    [cells] = opened(viewer, "usage/").by_id("ct-usage").rows
    assert cells[4] == "unpriced unpriced"
    assert cells[5].startswith("No price was known.")
    assert "No price was known." in opened(viewer, f"usage/{row.pk}/").text


@pytest.mark.parametrize(
    ("query", "models"),
    [
        ({"project": "web"}, ["a"]),
        ({"agent": "bot"}, ["a"]),
        ({"model": "b"}, ["b"]),
        ({"customer": "c1"}, ["b"]),
        ({"user": "7"}, ["b"]),
        ({"thread_id": "t1"}, ["c"]),
        ({"outcome": "error"}, ["c"]),
        ({"cost_source": "unpriced"}, ["d"]),
        ({"kind": "void"}, []),
        ({"tag": "team=red"}, ["a"]),
        ({"tag": "team=blue"}, []),
        ({"environment": "prod"}, ["b", "a"]),
        ({"environment": "prod", "tag": "team=red"}, ["a"]),
        ({"period": "last-month"}, ["e"]),
        ({"period": "custom", "from": "2023-10-10", "through": "2023-11-16"}, ["d", "c", "b", "a", "e"]),
        ({}, ["d", "c", "b", "a"]),
    ],
)
def test_rows_are_filtered(viewer: Client, acme: Organization, query: dict[str, str], models: list[str]) -> None:
    bot = agent(acme, "web/bot")
    book(acme, "1", model="a", agent=bot, project=bot.project, tags={"team": "red", "env": "prod"})
    book(acme, "1", model="b", customer="c1", user="7", tags={"environment": "prod"})
    book(acme, "1", model="c", thread_id="t1", outcome="error")
    book(acme, None, model="d")
    book(acme, "1", model="e", day=date(2023, 10, 20))
    page = opened(viewer, "usage/", **query)
    found = [row[2].split()[0] for row in page.by_id("ct-usage").rows] if page.has("ct-usage") else []
    assert found == models
    given = {one.attributes["name"]: one.attributes["value"] for one in page.by_id("ct-filter").all("input")}
    assert {name: given[name] for name in query if name in given and name != "period"} == {
        name: value for name, value in query.items() if name in given and name != "period"
    }


def test_pages_reach_each_row_once(viewer: Client, acme: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_pages, "LOOKED_AT", 60)  # on PostgreSQL a page looks no further
    for number in range(120):
        kind = "rare" if number % 40 == 0 else "often"
        book(acme, "1", model=kind, tags={"kind": kind})
    for query, count in (({}, 120), ({"model": "rare"}, 3), ({"tag": "kind=rare"}, 3)):
        page, seen = opened(viewer, "usage/", **query), []
        if query and connection.vendor == "postgresql":  # of the newest 60 one is rare
            assert len(page.by_id("ct-usage").rows) == 1
        while True:
            seen += (
                [link.attributes["href"] for link in page.by_id("ct-usage").all("a")] if page.has("ct-usage") else []
            )
            following = [link for link in page.all("a") if link.attributes.get("rel") == "next"]
            if not following:
                break
            page = opened(viewer, following[0].attributes["href"].removeprefix("/costs/"))
        assert (len(seen), len(set(seen))) == (count, count)


@pytest.mark.parametrize("query", [{"model": "b"}, {"tag": "team=red", "environment": "prod"}])
def test_the_export_has_the_filtered_rows(viewer: Client, acme: Organization, query: dict[str, str]) -> None:
    book(acme, "1", model="a", tags={"env": "prod"})
    book(acme, "2", model="b", tags={"env": "prod", "team": "red"})
    page = opened(viewer, "usage/", **query)
    answer = viewer.get(page.one(class_="ct-exports").all("a")[0].attributes["href"])
    lines = b"".join(answer.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 2
    assert ",b," in lines[1]
    assert Decimal("2") in [Decimal(cell) for cell in lines[1].split(",") if cell == "2"]


@pytest.mark.parametrize("name", ["project", "agent"])
def test_an_owner_that_does_not_exist_is_told_and_no_empty_list(viewer: Client, bot: Agent, name: str) -> None:
    refused = viewer.get(f"{ROOT}usage/?{name}=typo")
    assert refused.status_code == 400
    assert f"{name}: got &#x27;typo&#x27;, expected the slug of one that exists" in refused.content.decode()
