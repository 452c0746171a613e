"""Takes the pictures of this folder anew: the demo's pages in a Chromium, at the width of a desk and of a phone.

Run `python docs/screenshots/make.py` with the extras `dev` and `browser` and the system's package chromium.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from playwright.sync_api import Browser, sync_playwright

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
    "rates": "/costs/rates/",
    "savings": "/costs/recommendations/?organization=demo-biotech",
    "health": "/costs/health/",
    "admin-budgets": "/admin/costtrack/budget/",
    "admin-ledger": "/admin/costtrack/resourceusage/",
    "admin-rates": "/admin/costtrack/rate/?as_of=2026-01-01",
}
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
        _take(browser, site, {name: PICTURES[name] for name in DARK}, width=1280, scheme="dark", suffix="-dark")
        _take(browser, site, {name: PICTURES[name] for name in PHONE}, width=390, scheme="light", suffix="-phone")
        browser.close()
    return 0


def _take(browser: Browser, site: Site, pictures: dict[str, str], *, width: int, scheme: str, suffix: str) -> None:
    options = {"viewport": {"width": width, "height": 860}, "color_scheme": scheme}
    page = browser.new_context(**options).new_page()
    page.goto(f"{site.url}/costs/")
    page.get_by_label("Username").fill(USER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/costs/")
    for name, path in pictures.items():
        page.goto(site.url + path)
        target = FOLDER / f"{name}{suffix}.png"
        page.screenshot(path=target)
        print(target.name)
    page.context.close()


if __name__ == "__main__":
    sys.exit(main())
