"""The budgets: bars, words for how they stand, and the page of one."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
import time_machine
from django.test import Client

from costtrack.alerts.default_rules import load_default_rules
from costtrack.budgets.changes import change_budget
from costtrack.models import Budget, BudgetCounter, Organization
from tests.api.callers import person
from tests.budgets.asked import make_budget
from tests.dashboard.reading import Element, opened
from tests.reporting.booked import agent, book, organization

pytestmark = pytest.mark.django_db


def facts(card: Element) -> dict[str, str]:
    """What stands below the bar."""
    return {one.one("dt").text: one.one("dd").text for one in card.one("dl").all("div")}


def card(page: Element) -> Element:
    return page.one("li", class_="ct-budget")


def test_a_budget_tells_what_is_spent_left_and_forecast(viewer: Client, acme: Organization) -> None:
    book(acme, "8", day=date(2023, 11, 10))
    make_budget(acme, "20", name="Shop", period="month").thresholds.create(level=80)
    found = card(opened(viewer, "budgets/"))
    # 15.5 of 30 days have passed: 8 x 30 / 15.5 = 15.48; 12 left for 14.5 days: 0.83 a day
    assert facts(found) == {
        "Spent": "$8.00 of $20.00, 40 %",
        "Left": "$12.00 $0.83 a day",
        "Forecast": "$15.48",
        "Resets": "1 Dec 2023, 00:00",
        "Per month": "hard: blocks calls",
    }
    assert found.one(class_="ct-standing").text == "On track"
    bar = found.one("svg")
    assert bar.attributes["aria-label"] == ("Shop: $8.00 spent of $20.00, 40\u00a0%, forecast $15.48, On track")
    assert bar.all("rect", class_="ct-ok")[-1].attributes["width"] == "400.00"
    assert bar.one("line", class_="ct-tick").attributes["x1"] == "800.00"
    assert "80 % spent: warning at $16.00" in bar.text


@pytest.mark.parametrize(
    ("cost", "standing", "class_"),
    [
        ("12", "Forecast to exceed on 26 Nov 2023, 20:00", "ct-near"),  # 15.5 days x 20 / 12 = 25 days 20 h
        ("16", "Forecast to exceed on 20 Nov 2023, 09:00", "ct-near"),  # 15.5 x 20 / 16 = 19 days 9 h
        ("20", "Used up; calls are refused", "ct-over"),
        ("22.5", "Over its limit by $2.50; calls are refused", "ct-over"),
    ],
)
def test_how_it_stands_is_said_in_words(
    viewer: Client, acme: Organization, cost: str, standing: str, class_: str
) -> None:
    book(acme, cost, day=date(2023, 11, 10))
    make_budget(acme, "20", period="month")
    found = card(opened(viewer, "budgets/"))
    assert found.one(class_="ct-standing").text == standing
    assert found.one("svg").all("rect", class_=class_) != []


def test_what_is_near_its_limit_at_the_end_of_its_period_is_near(acme: Organization) -> None:
    book(acme, "17", day=date(2023, 11, 10))
    make_budget(acme, "20", period="month", enforcement="soft")
    with time_machine.travel("2023-11-30T23:00:00Z", tick=False):
        found = card(opened(person("late", roles={acme: "viewer"}), "budgets/"))
    assert found.one(class_="ct-standing").text == "Near its limit"


def test_tokens_are_no_dollars_and_an_unlimited_one_has_no_bar(viewer: Client, acme: Organization) -> None:
    book(acme, "1", day=date(2023, 11, 10), input_tokens=1500, output_tokens=50)
    make_budget(acme, None, name="counts", period="month", metric="tokens")
    found = card(opened(viewer, "budgets/"))
    assert facts(found)["Spent"] == "1,550 tokens"
    assert "Next threshold" not in facts(found)
    assert facts(found)["Forecast"] == "3,000 tokens"  # 1,550 x 30 / 15.5
    assert found.one(class_="ct-standing").text == "Counts only: unlimited"
    assert found.all("svg") == []


def test_without_a_limit_it_tells_how_near_the_level_of_its_alert_is(viewer: Client, acme: Organization) -> None:
    book(acme, "1.36", day=date(2023, 11, 10))
    budget = make_budget(acme, None, name="dear", period="month", enforcement="soft")
    budget.thresholds.create(level=100, unit="amount")
    budget.thresholds.create(level=500, unit="amount", severity="critical")
    budget.thresholds.create(level=80)  # percent of no limit: it lies nowhere
    found = card(opened(viewer, "budgets/"))
    assert facts(found)["Spent"] == "$1.36"
    assert facts(found)["Next threshold"] == "$100.00 1.4 % spent"  # 1.36 of 100
    bar = found.one("svg")
    assert bar.attributes["aria-label"] == (
        "dear: $1.36 spent, next threshold $100.00, 1.4\u00a0% spent, forecast $2.63, Counts only: unlimited"
    )
    assert bar.all("rect", class_="ct-unlimited")[-1].attributes["width"] == "13.60"  # of 1000
    assert [one.attributes["x1"] for one in bar.all("line", class_="ct-tick")] == ["1000.00"]


@pytest.mark.parametrize(
    ("cost", "told"),
    [
        ("99", ("Next threshold", "$100.00 99.0 % spent")),
        ("100", ("Next threshold", "$500.00 38.7 % forecast")),  # 100 x 30 / 15.5 = 193.55 of 500
        ("600", ("Last threshold", "$500.00 232.3 % forecast")),  # 1,161.29 of 500
    ],
)
def test_the_next_threshold_is_the_nearest_that_is_not_reached(
    viewer: Client, acme: Organization, cost: str, told: tuple[str, str]
) -> None:
    book(acme, cost, day=date(2023, 11, 10))
    budget = make_budget(acme, None, period="month", enforcement="soft")
    budget.thresholds.create(level=500, unit="amount", basis="forecast")
    budget.thresholds.create(level=100, unit="amount")
    assert told in facts(card(opened(viewer, "budgets/"))).items()


def test_a_forecast_that_there_can_not_be_is_not_told_as_0(viewer: Client, acme: Organization) -> None:
    book(acme, "9", day=date(2023, 11, 10))
    make_budget(acme, None, period="total").thresholds.create(level=10, unit="amount", basis="forecast")
    assert facts(card(opened(viewer, "budgets/")))["Next threshold"] == "$10.00 no forecast yet"


def test_the_default_alert_rules_tell_their_levels(viewer: Client, acme: Organization) -> None:
    book(acme, "1.36", day=date(2023, 11, 16))
    load_default_rules(acme)
    BudgetCounter.objects.create(
        budget=Budget.objects.get(per="thread"),
        subject="t1",
        period_start=datetime(1970, 1, 1, tzinfo=UTC),
        lock_rank=1,
        spent=Decimal("1.36"),
    )
    cards = opened(viewer, "budgets/").all("li", class_="ct-budget")
    assert {one.one("h3").text: facts(one)["Next threshold"] for one in cards} == {
        "high_daily_cost": "$100.00 1.4 % spent",
        "critical_daily_cost": "$500.00 0.3 % spent",
        "high_conversation_cost t1": "$10.00 13.6 % spent",
        "high_weekly_cost": "$500.00 0.3 % spent",
    }


def test_a_budget_that_rests_or_has_a_limit_tells_no_next_threshold(viewer: Client, acme: Organization) -> None:
    make_budget(acme, None, period="month", is_active=False).thresholds.create(level=10, unit="amount")
    make_budget(acme, "20", period="month").thresholds.create(level=10, unit="amount")
    cards = opened(viewer, "budgets/").all("li", class_="ct-budget")
    assert [["Next threshold" in facts(one), len(one.all("svg"))] for one in cards] == [[False, 0], [False, 1]]


def test_a_budget_for_each_thread_has_a_bar_for_each(viewer: Client, acme: Organization) -> None:
    budget = make_budget(acme, "20", name="threads", period="month", per="thread")
    empty = [one.text for one in opened(viewer, f"budgets/{budget.pk}/").all("p", class_="ct-empty")]
    assert any(one.startswith("No thread has a counter yet. Each gets one with its next call") for one in empty)
    for number in range(7):
        BudgetCounter.objects.create(
            budget=budget,
            subject=f"t{number}",
            period_start=datetime(2023, 11, 1, tzinfo=UTC),
            period_end=datetime(2023, 12, 1, tzinfo=UTC),
            lock_rank=1,
            spent=number,
        )
    cards = opened(viewer, "budgets/").all("li", class_="ct-budget")
    assert [one.one("h3").text for one in cards] == [f"threads t{number}" for number in (6, 5, 4, 3, 2)]
    assert all(one.text.endswith("and 2 more of it") for one in cards)
    assert len(opened(viewer, f"budgets/{budget.pk}/").all("li", class_="ct-budget")) == 7


def test_budgets_are_filtered_and_paged(viewer: Client, acme: Organization) -> None:
    for number in range(31):
        make_budget(acme, "1", name=f"b{number}", enforcement="soft" if number else "hard", is_active=number != 30)
    page = opened(viewer, "budgets/")
    assert len(page.all("li", class_="ct-budget")) == 30
    [following] = [link for link in page.all("a") if link.attributes.get("rel") == "next"]
    second = opened(viewer, following.attributes["href"].removeprefix("/costs/"))
    assert [one.one("h3").text for one in second.all("li", class_="ct-budget")] == ["b30"]
    hard = opened(viewer, "budgets/", enforcement="hard")
    assert [one.one("h3").text for one in hard.all("li", class_="ct-budget")] == ["b0"]
    resting = opened(viewer, "budgets/", state="resting")
    assert [one.one(class_="ct-standing").text for one in resting.all("li", class_="ct-budget")] == ["Resting"]
    assert "No budget is like that" in opened(viewer, "budgets/", state="resting", enforcement="hard").text


def test_the_page_of_one_budget_tells_its_way_thresholds_past_and_changes(manager: Client, acme: Organization) -> None:
    book(acme, "3", day=date(2023, 11, 2))
    book(acme, "5", day=date(2023, 11, 10))
    budget = make_budget(acme, "20", name="Shop", period="month", enforcement="soft")
    budget.thresholds.create(level=80, severity="critical")
    budget.thresholds.create(level=5, unit="amount")
    BudgetCounter.objects.create(
        budget=budget,
        period_start=datetime(2023, 10, 1, tzinfo=UTC),
        period_end=datetime(2023, 11, 1, tzinfo=UTC),
        lock_rank=1,
        spent=Decimal(25),
    )
    change_budget(budget, changed_by=None, limit=Decimal(30), note="more shops")
    page = opened(manager, f"budgets/{budget.pk}/")
    days = page.by_id("ct-pace").one("table").rows
    assert len(days) == 16
    assert (days[1], days[9], days[15]) == (
        ["2 Nov", "$3.00", "$3.00"],
        ["10 Nov", "$5.00", "$8.00"],
        ["16 Nov", "$0.00", "$8.00"],
    )
    thresholds, past = (
        one for one in page.all("table") if one.one("caption").text in ("Thresholds", "Past periods, the newest first")
    )
    assert thresholds.rows == [["5 cost_usd spent", "$5.00", "warning"], ["80 % spent", "$24.00", "critical"]]
    assert [(row[0], row[1], row[3]) for row in past.rows] == [("1 Oct 2023", "$25.00", "83.3 %")]  # 25 / 30
    [changes] = [one for one in page.all("table") if one.one("caption").text.startswith("Changes")]
    assert [row[1:] for row in changes.rows] == [
        ["a command", "limit: 20 to 30", "more shops"],
        ["a command", "made", ""],
    ]


def test_where_the_summaries_can_not_tell_its_usage_apart_there_is_no_curve(viewer: Client, acme: Organization) -> None:
    for fields in ({"model": "gpt-4"}, {"customer": "c"}, {"per": "agent"}, {"period": "day"}):
        budget = make_budget(acme, "20", **{"period": "month", **fields})
        assert not opened(viewer, f"budgets/{budget.pk}/").has("ct-pace")
    bot = agent(acme, "web/bot")
    book(acme, "4", agent=bot, project=bot.project)
    book(acme, "9")
    budget = make_budget(acme, "20", period="week", project=bot.project, agent=bot)
    rows = opened(viewer, f"budgets/{budget.pk}/").by_id("ct-pace").one("table").rows
    assert rows == [[f"{day} Nov", "$0.00", "$0.00"] for day in (13, 14, 15)] + [["16 Nov", "$4.00", "$4.00"]]


def test_a_manager_of_the_staff_is_led_to_the_admin(acme: Organization) -> None:
    budget = make_budget(acme, "20")
    paths = ("budgets/", f"budgets/{budget.pk}/")

    def leads(client: Client) -> list[bool]:
        return [
            "/admin/" in " ".join(one.attributes.get("href", "") for one in opened(client, path).all("a"))
            for path in paths
        ]

    assert leads(person("mary", roles={acme: "manager"}, is_staff=True)) == [True, True]
    assert leads(person("vera", roles={acme: "viewer"}, is_staff=True))[1] is False
    assert leads(person("max", roles={acme: "manager"})) == [False, False]


def test_periods_are_those_of_each_organization(superuser: Client, acme: Organization) -> None:
    make_budget(acme, "20", name="utc")
    make_budget(organization("bharat", "Asia/Kolkata"), "20", name="kolkata")
    cards = opened(superuser, "budgets/").all("li", class_="ct-budget")
    assert [facts(one)["Resets"] for one in cards] == ["17 Nov 2023, 00:00", "17 Nov 2023, 00:00"]
