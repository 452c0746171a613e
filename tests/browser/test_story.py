"""What a team lead does on a morning: a budget is made, fills and warns; who it was; the figures to take home."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Watched
from tests.browser.serving import Site

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def token(site: Site) -> str:
    return site.key("--organization", "demo-retail", "--name", "browser")


def meter(site: Site, token: str, cost: str, *, project: str = "story") -> None:
    """One call of that cost, as its provider reports it."""
    call = {"provider": "openai", "model": "gpt-4.1", "input_tokens": 10, "output_tokens": 5, "cost_usd": cost}
    answer = site.post("usage", {**call, "project": project, "agent": "teller"}, token=token)
    assert answer["accepted"] == 1, answer


def test_a_budget_is_made_filled_told_of_and_acknowledged(watched: Watched, token: str) -> None:
    page, site = watched.open("/admin/costtrack/budget/add/"), watched.site
    page.locator(".field-organization .select2-selection").click()
    page.locator(".select2-search__field").fill("retail")
    page.get_by_role("option", name="Demo Retail").click()
    page.locator("#id_name").fill("Story")
    page.locator("#id_limit").fill("1")
    page.locator("#id_period").select_option("month")
    page.locator("#id_enforcement").select_option("soft")
    page.locator("#thresholds-group .add-row a").click()
    page.locator("#id_thresholds-0-level").fill("80")
    page.locator("input[name=_save]").click()
    expect(page.locator(".messagelist .success")).to_contain_text("Story")

    card = page.locator("li.ct-budget", has_text="Story")
    watched.open("/costs/budgets/?organization=demo-retail")
    before = card.locator("svg").get_attribute("aria-label")
    meter(site, token, "0.5")
    page.reload()
    assert card.locator("svg").get_attribute("aria-label") != before


def test_the_alert_comes_and_is_acknowledged(watched: Watched, token: str) -> None:
    site = watched.site
    site.manage("shell", "-c", BUDGET)
    meter(site, token, "0.9", project="warned")
    page = watched.open("/costs/alerts/?organization=demo-retail")
    alert = page.locator("li.ct-alert", has_text="Teller's day").first
    expect(alert).to_contain_text("90.00 %")
    alert.get_by_role("button", name="Acknowledge").click()
    page.wait_for_load_state()
    expect(page.locator("li.ct-alert", has_text="Teller's day").first).to_contain_text("acknowledged by lead")


BUDGET = """
from decimal import Decimal
from costtrack.budgets.changes import create_budget
from costtrack.models import Organization, Project
retail = Organization.objects.get(slug="demo-retail")
story, _ = Project.objects.get_or_create(organization=retail, slug="warned")
budget = create_budget(
    organization=retail, project=story, limit=Decimal(1), is_unlimited=False, period="total", enforcement="soft",
    name="Teller's day",
)
budget.thresholds.create(level=Decimal(80))
"""


def test_from_the_organization_down_to_an_agent_and_back(watched: Watched, token: str) -> None:
    meter(watched.site, token, "0.25")
    page = watched.open("/costs/?organization=demo-retail")
    page.get_by_role("navigation", name="Group by").get_by_role("link", name="Project").click()
    page.wait_for_url("**group_by=project**")
    page.locator("#ct-by-project").get_by_role("link", name="story").first.click()
    page.wait_for_url("**/projects/**")
    expect(page.locator("h1")).to_contain_text("story")
    page.locator("#ct-by-agent").get_by_role("link", name="teller").click()
    page.wait_for_url("**/agents/**")
    expect(page.locator("h1")).to_contain_text("teller")
    page.go_back()
    expect(page.locator("h1")).to_contain_text("story")


def test_the_costs_are_exported_as_they_are_shown(watched: Watched, token: str, tmp_path: Path) -> None:
    meter(watched.site, token, "0.25")
    page = watched.open("/costs/?organization=demo-retail&group_by=project")
    with page.expect_download() as started:
        page.locator("a[data-export=CSV]").first.click()
    started.value.save_as(tmp_path / "costs.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "costs.csv").read_text())))
    shown = page.locator("#ct-by-project tbody tr").count()
    assert {row["project"] for row in rows} >= {"demo-retail/story"}
    assert len({row["project"] for row in rows}) == shown


def test_an_open_page_renews_itself(watched: Watched, token: str) -> None:
    page = watched.open("/costs/?organization=demo-retail&group_by=project")
    live = page.locator("#ct-live")
    assert live.get_attribute("data-seconds")
    calls = page.locator("#ct-tile-calls .ct-value")
    before = calls.inner_text()
    meter(watched.site, token, "0.25")
    expect(calls).not_to_have_text(before, timeout=60_000)


def test_a_link_to_a_row_shows_the_arithmetic_of_its_cost(watched: Watched) -> None:
    page = watched.open("/costs/usage/?organization=demo-biotech")
    page.locator("tbody tr", has_text="claude-sonnet-4-5").first.locator("a[href*='/usage/']").first.click()
    page.wait_for_url("**/usage/**")
    expect(page.locator("main")).to_contain_text("$3 per 1M")
