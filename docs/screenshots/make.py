"""Takes the pictures of this folder anew: the demo's pages in a Chromium, at the width of a desk and of a phone.

Run `python docs/screenshots/make.py` with the extras `dev` and `browser` and the system's package chromium.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from playwright.sync_api import Browser, FilePayload, Page, sync_playwright

from tests.browser.serving import PASSWORD, USER, Site, demo_site

FOLDER = Path(__file__).resolve().parent
PICTURES = {
    "overview": "/costs/",
    "project": "/costs/?organization=demo-biotech&group_by=agent",
    "budgets": "/costs/budgets/",
    "alerts": "/costs/alerts/",
    "usage": "/costs/usage/",
    "resources": "/costs/resources/?organization=demo-biotech",
    "plans": "/costs/plans/",
    "rates": "/costs/rates/?organization=demo-biotech",
    "savings": "/costs/recommendations/?organization=demo-biotech",
    "health": "/costs/health/",
    "admin-budgets": "/admin/costtrack/budget/",
    "admin-ledger": "/admin/costtrack/resourceusage/",
    "admin-rates": "/admin/costtrack/rate/?as_of=2026-01-01",
}
INVOICED = {"claude-opus-4-5": "0.90", "claude-sonnet-4-5": "0.50"}
"""What each day of the invoice has cost, by model."""
DARK, PHONE = ("overview", "budgets"), ("overview", "budgets")
"""Those that are taken in the dark theme, and on a phone, as well."""


def main() -> int:
    """Play the demo, log in, take them."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not chromium:
        print("There is no Chromium: install the system's package `chromium`, or set CHROMIUM to its path.")
        return 1
    with tempfile.TemporaryDirectory() as folder, demo_site(Path(folder)) as site, sync_playwright() as playwright:
        site.manage("find_recommendations")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        _take(browser, site, PICTURES, width=1280, scheme="light", suffix="")
        _take_invoice(browser, site)
        _take(browser, site, {name: PICTURES[name] for name in DARK}, width=1280, scheme="dark", suffix="-dark")
        _take(browser, site, {name: PICTURES[name] for name in PHONE}, width=390, scheme="light", suffix="-phone")
        browser.close()
    return 0


def _take(browser: Browser, site: Site, pictures: dict[str, str], *, width: int, scheme: str, suffix: str) -> None:
    page = _logged_in(browser, site, width=width, scheme=scheme)
    for name, path in pictures.items():
        page.goto(site.url + path)
        _keep(page, f"{name}{suffix}.png")
    page.context.close()


def _take_invoice(browser: Browser, site: Site) -> None:
    """An invoice of the last five days, compared."""
    days = [date.today() - timedelta(days=number) for number in range(5)]
    lines = [f"{day},{model},{cost}" for day in days for model, cost in INVOICED.items()]
    content = "\n".join(["date,model,cost_usd", *lines]).encode()
    page = _logged_in(browser, site, width=1280, scheme="light")
    page.goto(f"{site.url}/costs/reconcile/?organization=demo-biotech")
    page.get_by_label("Provider").fill("anthropic")
    page.get_by_label("Invoice, as CSV").set_input_files(
        FilePayload(name="invoice.csv", mimeType="text/csv", buffer=content)
    )
    page.get_by_role("button", name="Compare").click()
    page.wait_for_selector("#ct-reconciled")
    _keep(page, "invoices.png")
    page.context.close()


def _logged_in(browser: Browser, site: Site, *, width: int, scheme: str) -> Page:
    options = {"viewport": {"width": width, "height": 860}, "color_scheme": scheme}
    page = browser.new_context(**options).new_page()
    page.goto(f"{site.url}/costs/")
    page.get_by_label("Username").fill(USER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/costs/")
    return page


def _keep(page: Page, name: str) -> None:
    page.screenshot(path=FOLDER / name)
    print(name)


if __name__ == "__main__":
    sys.exit(main())
