"""Every page at both widths and in both themes: no error, no violation, no fault that keeps anybody out."""

from __future__ import annotations

import itertools
from datetime import date, timedelta

import pytest
from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import FilePayload, expect

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
    "/costs/usage/?environment=production&period=30d",
    "/costs/rates/",
    "/costs/rates/?models=all&dates=all&model=gpt-4o",
    "/costs/reconcile/",
    "/costs/reconcile/?organization=demo-biotech",
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


INVOICE = "date,model,cost_usd\n{day},claude-sonnet-4-5,1.00\n{day},gpt-5,2.50\n"


@pytest.mark.parametrize("watched", LOOKS[::3], indirect=True, ids=lambda look: f"{look['width']}-{look['scheme']}")
def test_an_invoice_is_sent_and_compared_or_says_what_is_wrong_with_it(watched: Watched) -> None:
    page = watched.open("/costs/reconcile/?organization=demo-biotech")

    def send(text: str) -> None:
        page.get_by_label("Provider").fill("anthropic")
        file = FilePayload(name="invoice.csv", mimeType="text/csv", buffer=text.encode())
        page.get_by_label("Invoice, as CSV").set_input_files(file)
        page.get_by_role("button", name="Compare").click()

    send(INVOICE.format(day=f"{date.today() - timedelta(days=1)}"))
    expect(page.locator("#ct-invoiced")).to_have_text("$3.50")
    expect(page.locator("#ct-lines")).to_contain_text("only invoiced")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert faults_of(watched) == []
    send(INVOICE.format(day="yesterday"))
    expect(page.get_by_role("alert")).to_contain_text("date: got 'yesterday'")
    assert faults_of(watched) == []
    watched.faults[:] = [one for one in watched.faults if "400 (Bad Request)" not in one]  # a browser tells of any


def test_the_rates_of_a_date_are_looked_at_by_keyboard(watched: Watched) -> None:
    page = watched.open("/costs/rates/?organization=demo-biotech")
    expect(page.locator("#ct-rates")).to_contain_text("claude-sonnet-4-5")
    page.get_by_label("Model contains").fill("a100")
    page.keyboard.press("Enter")
    page.wait_for_url("**model=a100**")
    expect(page.locator("#ct-rates tbody tr")).to_have_count(1)


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
