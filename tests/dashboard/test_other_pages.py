"""Rates without a price, one's own usage, health."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from costtrack.access.keys import create_key
from costtrack.aggregation import fold_pending
from costtrack.dashboard import health
from costtrack.models import AgentKey, JobRun, Organization
from tests.budgets.asked import make_budget
from tests.dashboard.everything import world
from tests.dashboard.reading import opened, tile
from tests.reporting.booked import agent, book, organization

pytestmark = pytest.mark.django_db

NOON = datetime(2023, 11, 16, 12, tzinfo=UTC)


def test_models_without_a_rate_are_listed_with_the_most_calls_first(
    superuser: Client, viewer: Client, acme: Organization
) -> None:
    book(acme, "1")
    book(acme, None, model="rare", provider="vllm", day=date(2023, 10, 3))
    for _ in range(2):
        book(acme, None, model="often", provider="vllm")
    page = opened(superuser, "rates/")
    assert page.by_id("ct-unpriced").text == "3"
    assert "25.00 %" in page.text  # 1 of 4 has a price
    assert [row[:5] for row in page.by_id("ct-unpriced-models").rows] == [
        ["often", "vllm", "llm_tokens", "2", "16 Nov 2023"],
        ["rare", "vllm", "llm_tokens", "1", "3 Oct 2023"],
    ]
    link = page.by_id("ct-unpriced-models").all("a")[0].attributes["href"]
    assert link == "/admin/costtrack/rate/add/?provider=vllm&model=often&resource_type=llm_tokens"
    form = superuser.get(link)
    assert form.status_code == 200
    assert b'value="often"' in form.content
    assert opened(viewer, "rates/").by_id("ct-unpriced-models").all("a") == []


def test_where_all_has_a_price_that_is_said(viewer: Client, acme: Organization) -> None:
    book(acme, "1")
    assert "Every call of the last 90 days has a price." in opened(viewer, "rates/").by_id("ct-empty").text


def test_one_s_own_usage_is_what_names_one(viewer: Client, acme: Organization) -> None:
    vera = get_user_model().objects.get(username="vera")
    book(acme, "3", user=str(vera.pk), day=date(2023, 11, 10))
    book(acme, "4", user=str(vera.pk), model="claude", input_tokens=10)
    book(acme, "50", user=str(vera.pk), day=date(2023, 11, 9))  # the eighth day
    book(acme, "60", user="somebody else")
    book(acme, "70")
    page = opened(viewer, "mine/")
    assert page.by_id("ct-my-cost").text == "$7.00"
    days = page.by_id("ct-mine").one("table").rows
    assert (days[0], days[6], len(days)) == (["10 Nov", "$3.00"], ["16 Nov", "$4.00"], 7)
    [models] = [one for one in page.all("table") if one.one("caption").text == "Your cost by model"]
    assert models.rows == [["claude", "$4.00", "1"], ["gpt-4", "$3.00", "1"]]


def test_one_s_own_keys_lead_to_what_they_may_use(viewer: Client, acme: Organization) -> None:
    vera = get_user_model().objects.get(username="vera")
    bot = agent(acme, "web/bot")
    for name, owner in (("wide", {}), ("narrow", {"agent": bot})):
        create_key(organization=acme, name=name, can_ingest=True, can_read=False, now=NOON, created_by=vera, **owner)
    create_key(organization=acme, name="other", can_ingest=True, can_read=False, now=NOON)
    table = opened(viewer, "mine/").by_id("ct-keys")
    assert [(row[0].split()[0], row[1], row[3]) for row in table.rows] == [
        ("narrow", "active", "acme / web / bot"),
        ("wide", "active", "acme"),
    ]
    hrefs = [link.attributes["href"] for link in table.all("a")]
    assert hrefs == [f"/costs/agents/{bot.pk}/", "/costs/?organization=acme"]


def test_what_is_left_is_told_of_the_budgets_that_one_s_usage_and_keys_count_in(
    viewer: Client, acme: Organization
) -> None:
    assert "No budget with a limit counts your usage." in opened(viewer, "mine/").text
    vera = get_user_model().objects.get(username="vera")
    bot, other = agent(acme, "web/bot"), agent(acme, "lab/rat")
    for name, owner in (("own", bot), ("old", other)):
        create_key(
            organization=acme, name=name, can_ingest=True, can_read=False, now=NOON, created_by=vera, agent=owner
        )
    AgentKey.objects.filter(name="old").update(revoked_at=NOON)
    book(acme, "6", agent=bot, project=bot.project)
    make_budget(acme, "100", name="all", period="month")
    make_budget(acme, "50", name="web", period="month", project=bot.project)
    make_budget(acme, "8", name="bot", period="month", project=bot.project, agent=bot)
    make_budget(acme, "8", name="lab", period="month", project=other.project)
    make_budget(acme, "8", name="threads", period="month", per="thread")
    make_budget(acme, None, name="unlimited", period="month")
    make_budget(organization("globex"), "1", name="globex", period="month")
    cards = opened(viewer, "mine/").by_id("ct-left").all("li", class_="ct-budget")
    assert [card.one("h3").text for card in cards] == ["bot", "web", "all"]
    assert "Left $2.00" in cards[0].text


def test_health_tells_what_is_wrong_and_what_to_do(superuser: Client, acme: Organization) -> None:
    page = opened(superuser, "health/")
    assert not page.has("ct-well")
    assert page.by_id("ct-problems").text == "No job has ever run"
    now = datetime.now(UTC)
    JobRun.objects.create(name="aggregate_costs", started_at=now, finished_at=now)
    assert opened(superuser, "health/").has("ct-well")
    JobRun.objects.all().delete()
    JobRun.objects.create(name="check_budgets", started_at=datetime(2023, 11, 1, tzinfo=UTC), last_error="boom")
    page = opened(superuser, "health/")
    assert "The job check_budgets has not ended well ever" in page.by_id("ct-problem-list").text
    jobs = {row[0].split()[0]: row for row in page.by_id("ct-job-list").rows}
    assert jobs["check_budgets"][1:] == ["– boom", "manage.py check_budgets"]  # noqa: RUF001
    assert jobs["aggregate_costs"][1] == "never ran"


def test_health_tells_when_the_ledger_grew_last_and_how_far_the_summaries_are_behind(
    superuser: Client, acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    def books() -> list[list[str]]:
        return opened(superuser, "health/").by_id("ct-books").rows

    assert books() == [["Recorded last", "–"], ["Sums to be folded", "0"]]  # noqa: RUF001
    for _ in range(2):
        book(acme, "1")
    assert books() == [["Recorded last", "1 Jan 2024, 00:00"], ["Sums to be folded", "2"]]
    monkeypatch.setattr(health, "MOST_COUNTED", 1)
    assert books()[1] == ["Sums to be folded", "over 1"]
    fold_pending()
    assert books()[1] == ["Sums to be folded", "0"]


def test_unpriced_calls_lead_to_the_rates(superuser: Client) -> None:
    world("acme")
    page = opened(superuser)
    assert tile(page, "unpriced").startswith("Unpriced calls 1")
    assert page.by_id("ct-tile-unpriced").one("a").attributes["href"] == "/costs/rates/?organization=acme"
