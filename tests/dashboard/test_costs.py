"""The pages of costs: figures worked by hand from the usage of the fixture `bot`."""

from __future__ import annotations

from datetime import date, timedelta
from html import unescape

import pytest
from django.test import Client

from costtrack.aggregation import fold_pending
from costtrack.models import Agent, Organization
from costtrack.reporting.forecast import forecast
from costtrack.reporting.wording import usd_text
from costtrack.testing import capture_usage
from tests.api.callers import person
from tests.budgets.asked import make_budget
from tests.dashboard.reading import ROOT, Element, opened, tile
from tests.reporting.booked import NOVEMBER_16, book, organization

pytestmark = pytest.mark.django_db


def cells(page: Element, dimension: str) -> list[tuple[str, str, str, str, str]]:
    """Of the table of a dimension each row's name, cost, share, change and calls."""
    return [(row[0], row[1], row[3], row[4], row[5]) for row in page.by_id(f"ct-by-{dimension}").rows]


@pytest.mark.parametrize("folded", [False, True])
def test_the_month_to_date_is_compared_with_the_same_days_of_last_month(
    viewer: Client, bot: Agent, folded: bool
) -> None:
    if folded:
        fold_pending()
    page = opened(viewer)
    # 10 + 20 + 30 against 25: the 7 of the 20th of October are no part of it. 35 / 25 = +140 %
    assert (
        tile(page, "month")
        == "Month to date $60.00 The last 30 days: from $0.00 to $30.00 a day +140 % against 1 Oct to 16 Oct ($25.00)"
    )
    assert tile(page, "calls") == "Calls 4 1 error, 25.0 %"
    assert tile(page, "tokens").startswith("Tokens 4.50K 4.00K in, 500 out; 0 of the input cached (0.0 %)")
    assert tile(page, "call-cost") == "Cost per call $20.000000"  # 60 by the 3 that have a price
    assert (
        tile(page, "unpriced")
        == "Unpriced calls 1 Their cost is unknown, and in no total: they have no rate, or told no usage"
    )


def test_groups_are_the_dearest_first_with_their_share_and_change(viewer: Client, bot: Agent) -> None:
    page = opened(viewer)
    assert cells(page, "model") == [
        ("claude", "$30.00", "50.0 %", "new", "1"),
        ("gpt-4", "$30.00", "50.0 %", "+20 %", "2"),  # 30 against 25
        ("mystery 1 unpriced", "unpriced", "0.0 %", "–", "1"),  # noqa: RUF001
    ]
    assert cells(page, "project") == [("web 1 unpriced", "$60.00", "100.0 %", "+140 %", "4")]
    assert cells(page, "agent") == [("web/bot 1 unpriced", "$60.00", "100.0 %", "+140 %", "4")]


def test_of_several_organizations_they_are_told_apart_in_place_of_their_agents(superuser: Client, bot: Agent) -> None:
    book(organization("globex"), "5")
    page = opened(superuser)
    assert cells(page, "organization") == [
        ("acme 1 unpriced", "$60.00", "92.3 %", "+140 %", "4"),  # 60 of 65; 60 against 25
        ("globex", "$5.00", "7.7 %", "new", "1"),
    ]
    assert not page.has("ct-by-agent")
    assert opened(superuser, organization="acme").has("ct-by-agent")


def test_the_chart_and_the_table_below_it_have_each_day(viewer: Client, bot: Agent) -> None:
    chart = opened(viewer).by_id("ct-costs")
    rows = chart.one("table").rows
    assert len(rows) == 30
    # claude, gpt-4, mystery (which has no price), total
    assert rows[0] == ["1 Nov", "$0.00", "$10.00", "$0.00", "$10.00"]
    assert rows[14] == ["15 Nov", "$0.00", "$20.00", "$0.00", "$20.00"]
    assert rows[15] == ["16 Nov", "$30.00", "$0.00", "unpriced", "$30.00"]
    assert rows[16][:4] == ["17 Nov, forecast", "", "", ""]
    assert [row[4] for row in rows[16:]] == [rows[16][4]] * 14
    svg = chart.by_id("ct-costs-svg")
    assert svg.attributes["aria-label"] == "Cost by model, 1 Nov 2023 to 16 Nov 2023: $60.00 in all"
    assert "16 Nov: $30.00 (mystery unpriced, claude $30.00)" in svg.text


def test_the_period_and_the_dimension_are_switched_by_links_that_keep_the_rest(viewer: Client, bot: Agent) -> None:
    page = opened(viewer, period="last-month", group_by="provider", endpoint="chat")
    assert tile(page, "period").startswith("Last month $32.00")  # 25 + 7
    assert cells(page, "provider") == [("openai", "$32.00", "100.0 %", "new", "2")]
    links = {link.text: link.attributes["href"] for link in page.all("a")}
    assert links["Agent"] == "/costs/?period=last-month&group_by=agent&endpoint=chat"
    assert links["Last 7 days"] == "/costs/?period=7d&group_by=provider&endpoint=chat"
    assert [link.text for link in page.all("a") if link.attributes.get("aria-current") == "true"] == [
        "Last month",
        "Provider",
    ]
    assert page.one(class_="ct-filters").text == "Feature chat ×"  # noqa: RUF001
    assert page.one(class_="ct-filters").one("a").attributes["href"] == "/costs/?period=last-month&group_by=provider"


def test_a_filter_is_of_every_figure(viewer: Client, bot: Agent) -> None:
    page = opened(viewer, model="claude")
    assert tile(page, "month").startswith("Month to date $30.00")
    assert cells(page, "model") == [("claude", "$30.00", "100.0 %", "new", "1")]
    assert tile(page, "calls") == "Calls 1 0 errors, 0.0 %"


def test_nine_groups_have_a_colour_and_the_others_are_one(viewer: Client, acme: Organization) -> None:
    for number in range(1, 13):
        book(acme, str(number), model=f"model-{number}")
    page = opened(viewer)
    rows = cells(page, "model")
    assert [row[0] for row in rows] == [*(f"model-{number}" for number in range(12, 3, -1)), "All others"]
    assert rows[-1][1:3] == ("$6.00", "7.7 %")  # 1 + 2 + 3 of 78
    legend = page.by_id("ct-costs").one("ul", class_="ct-legend")
    assert len(legend.all("span", class_="ct-other")) == 1
    assert "All others $6.00" in legend.text


def test_a_forecast_needs_seven_days(viewer: Client, acme: Organization) -> None:
    for number in range(6):
        book(acme, "2", day=NOVEMBER_16 - timedelta(days=number + 1))
    assert tile(opened(viewer), "forecast").startswith("Month-end forecast not enough data")
    book(acme, "2", day=NOVEMBER_16 - timedelta(days=7))
    page = opened(viewer)
    found = forecast(acme)
    assert found.expected is not None
    assert page.by_id("ct-tile-forecast").one(class_="ct-value").text == usd_text(found.expected)
    assert f"{usd_text(found.low)} to {usd_text(found.high)}" in tile(page, "forecast")
    # 14 days of November are still to come, hatched
    assert len(page.by_id("ct-costs-svg").all("rect", class_="ct-coming")) == 14
    assert "forecast for the rest of the month" in page.by_id("ct-costs").text


def test_the_budget_of_just_this_is_a_line_across_the_chart(viewer: Client, acme: Organization, bot: Agent) -> None:
    make_budget(acme, "90", name="All of it", period="month")
    page = opened(viewer)
    assert len(page.by_id("ct-costs-svg").all("line", class_="ct-level")) == 1
    assert "All of it: $3.00 a day" in page.by_id("ct-costs").text  # 90 / 30 days of November
    assert opened(viewer, model="claude").by_id("ct-costs-svg").all("line", class_="ct-level") == []
    assert opened(viewer, f"projects/{bot.project.pk}/").by_id("ct-costs-svg").all("line", class_="ct-level") == []


def test_long_periods_are_charted_by_week_and_month(viewer: Client, bot: Agent) -> None:
    by_week = opened(viewer, **{"from": "2023-09-01", "through": "2023-11-16"}).by_id("ct-costs").one("table").rows
    assert by_week[0][0] == "1 Sep to 3 Sep"
    assert by_week[-1] == ["13 Nov to 16 Nov", "$20.00", "$30.00", "unpriced", "$50.00"]  # gpt-4 is the dearest now: 62
    by_month = opened(viewer, **{"from": "2022-11-01", "through": "2023-11-16"}).by_id("ct-costs").one("table").rows
    assert [row[0] for row in by_month[-2:]] == ["Oct 2023", "Nov 2023"]
    assert by_month[-2][-1] == "$32.00"


def test_one_drills_down_from_the_organization_to_the_agent(viewer: Client, bot: Agent, acme: Organization) -> None:
    book(acme, "100", model="other")  # of no project
    overview = opened(viewer, group_by="project")
    [link] = [link for link in overview.by_id("ct-by-project").all("a") if link.text == "web"]
    assert link.attributes["href"] == f"/costs/projects/{bot.project.pk}/?period=mtd"
    project = opened(viewer, f"projects/{bot.project.pk}/", period="mtd")
    assert project.one("h1").text == "web"
    assert tile(project, "month").startswith("Month to date $60.00")
    assert [link.text for link in project.one(class_="ct-crumbs").all("a")] == ["acme"]
    [link] = [link for link in project.by_id("ct-by-agent").all("a") if link.text == "web/bot"]
    assert link.attributes["href"] == f"/costs/agents/{bot.pk}/?period=mtd"
    agent = opened(viewer, f"agents/{bot.pk}/", group_by="endpoint")
    assert cells(agent, "endpoint") == [
        ("chat 1 unpriced", "$30.00", "50.0 %", "+20 %", "3"),
        ("draft", "$30.00", "50.0 %", "new", "1"),
    ]
    assert [link.text for link in agent.one(class_="ct-crumbs").all("a")] == ["acme", "web"]


def test_slugs_with_slashes_lead_to_their_own_pages(viewer: Client, acme: Organization) -> None:
    odd = acme.projects.create(slug="a/b")
    agent = odd.agents.create(slug="c/d")
    acme.projects.create(slug="a").agents.create(slug="b/c/d")  # written alike, and not used
    book(acme, "1", project=odd, agent=agent)
    page = opened(viewer)
    assert [link.attributes["href"] for link in page.by_id("ct-by-project").all("a")] == [
        f"/costs/projects/{odd.pk}/?period=mtd"
    ]
    [link] = page.by_id("ct-by-agent").all("a")
    assert link.attributes["href"] in {f"/costs/agents/{one.pk}/?period=mtd" for one in Agent.objects.all()}


def test_exports_are_those_of_the_api_with_the_same_question(viewer: Client, bot: Agent) -> None:
    page = opened(viewer, group_by="agent", model="gpt-4", organization="acme")
    link = page.one(class_="ct-exports").all("a")[0]
    answer = viewer.get(link.attributes["href"])
    assert answer.status_code == 200
    lines = b"".join(answer.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 17  # the titles, and 16 days of one agent
    assert lines[1].startswith("2023-11-01,2023-11-02,acme/web/bot,10")
    of_agent = opened(viewer, f"agents/{bot.pk}/").one(class_="ct-exports").all("a")[0].attributes["href"]
    assert "agent=acme%2Fweb%2Fbot" in of_agent


def test_days_are_those_of_the_organization_and_its_zone_is_named(db: None) -> None:
    kolkata = organization("bharat", "Asia/Kolkata")
    book(kolkata, "5", day=date(2023, 11, 16))
    page = opened(person("indira", roles={kolkata: "viewer"}), period="today")
    assert page.by_id("ct-as-of").text == "16 Nov 2023, 17:30 Asia/Kolkata"
    assert "Asia/Kolkata" in page.one("footer").text
    assert tile(page, "period").startswith("Today $5.00")


def test_nothing_metered_says_what_to_do(viewer: Client) -> None:
    page = opened(viewer)
    assert "costtrack.meter(" in page.by_id("ct-empty").text
    assert "manage.py costtrack_demo" in page.by_id("ct-empty").text


def test_nothing_in_the_period_says_so(viewer: Client, acme: Organization) -> None:
    book(acme, "5", day=date(2023, 11, 1))
    page = opened(viewer, period="today")
    assert "Nothing was spent in this period." in page.text
    assert not page.has("ct-costs")


def test_an_empty_site_is_told_how_to_meter_a_first_call_by_code_that_does(viewer: Client) -> None:
    content = viewer.get(ROOT).content.decode()
    snippet = unescape(content.partition('<pre tabindex="0">')[2].partition("</pre>")[0])
    with capture_usage() as captured:
        exec(snippet, {})
    [event] = captured
    assert (event.model, event.tokens.input_tokens, event.tokens.output_tokens) == ("gpt-4o", 1000, 200)


def test_where_a_filter_leaves_nothing_it_is_the_filter_that_is_named(viewer: Client, acme: Organization) -> None:
    book(acme, "1")
    empty = opened(viewer, model="nope").by_id("ct-empty").text
    assert "No usage is like that" in empty
    assert "Model nope. Remove a filter above" in empty
