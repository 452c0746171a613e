"""Every page at both widths and in both themes: no error, no violation, no fault that keeps anybody out."""

from __future__ import annotations

import itertools

import pytest
from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import expect

from tests.browser.conftest import Watched

pytestmark = pytest.mark.browser

DASHBOARD = (
    "/costs/",
    "/costs/?group_by=agent&period=30d",
    "/costs/budgets/",
    "/costs/alerts/",
    "/costs/usage/",
    "/costs/resources/",
    "/costs/plans/",
    "/costs/rates/",
    "/costs/recommendations/",
    "/costs/recommendations/?organization=demo-biotech",
    "/costs/mine/",
    "/costs/health/",
)
ADMIN = ("budget", "rate", "resourceusage", "budgetalert", "hold", "costplan", "usagerun", "agentkey", "membership")
LOOKS = [{"width": width, "scheme": scheme} for width, scheme in itertools.product((1280, 390), ("light", "dark"))]
SERIOUS = {"serious", "critical"}


def faults_of(watched: Watched, *, within: str = "document") -> list[str]:
    """What axe-core finds serious, as rule and element."""
    watched.page.evaluate(AXE_FILE_PATH.read_text())
    found = watched.page.evaluate(f"axe.run({within})")
    return [
        f"{violation['id']}: {node['target']}"
        for violation in found["violations"]
        if violation["impact"] in SERIOUS
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("watched", LOOKS, indirect=True, ids=lambda look: f"{look['width']}-{look['scheme']}")
def test_every_page_of_the_dashboard_is_for_everybody(watched: Watched) -> None:
    found = {}
    for path in DASHBOARD:
        page = watched.open(path)
        assert page.locator("h1").count() == 1, path
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= page.evaluate("window.innerWidth"), f"{path} scrolls sideways"
        if faults := faults_of(watched):
            found[path] = faults
    assert found == {}


def test_savings_are_looked_for_and_a_channel_is_tried_at_the_push_of_a_button(watched: Watched) -> None:
    page = watched.open("/costs/recommendations/?organization=demo-biotech")
    page.locator("#ct-look").click()
    expect(page.locator("main")).to_contain_text("looked for anew each day")
    expect(page.locator("#ct-look")).to_have_text("Look again")
    page = watched.open("/costs/alerts/?organization=demo-retail")
    page.get_by_role("button", name="Send a test").first.click()
    expect(page.locator("#ct-tested")).to_contain_text("test")
    assert faults_of(watched) == []


def test_the_pages_of_the_admin_s_ledger_lead_down_and_up(watched: Watched) -> None:
    page = watched.open("/admin/costtrack/resourceusage/")
    pages = page.get_by_role("navigation", name="Pages")
    newest = pages.locator("span").inner_text()
    pages.get_by_role("link", name="Older").click()
    expect(pages.locator("span")).not_to_have_text(newest)
    pages.get_by_role("link", name="Newer").click()
    expect(pages.locator("span")).to_have_text(newest)


def test_the_admin_s_screens_work_under_the_policy(watched: Watched) -> None:
    for name in ADMIN:
        watched.open(f"/admin/costtrack/{name}/")
    for path in ("rate/missing/", "rate/import/", "rate/?as_of=2026-01-01", "budget/add/", "rate/add/"):
        watched.open(f"/admin/costtrack/{path}")
