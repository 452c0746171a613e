"""A site with the demo's data, a Chromium, and what goes wrong in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.serving import PASSWORD, USER, Site, demo_site
from tests.databases import postgres_key

DATABASE = "browser"
NAMES = ("chromium", "chromium-browser", "google-chrome")
LISTEN = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`violates ${event.violatedDirective}: ${event.blockedURI}`);
});
"""


@dataclass
class Watched:
    """A page, and what its console has said that should not be there."""

    page: Page
    site: Site
    faults: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        """The page at that path, which is there."""
        answer = self.page.goto(self.site.url + path)
        assert answer is not None
        assert answer.status == 200, path
        return self.page

    def log_in(self) -> None:
        """As the superuser."""
        self.page.goto(f"{self.site.url}/costs/")
        self.page.get_by_label("Username").fill(USER)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Log in").click()
        self.page.wait_for_url("**/costs/")


@pytest.fixture(scope="session")
def site(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """On the run's own PostgreSQL, in a database of its own; with SQLite in a file."""
    server, url = pytestconfig.stash.get(postgres_key, None), ""
    if server is not None:
        server.start()
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}")
        url = server.url.rpartition("/")[0] + f"/{DATABASE}"
    with demo_site(tmp_path_factory.mktemp("site"), database=url) as running:
        yield running


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The one of the system's packages, or of CHROMIUM."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        pytest.fail("There is no Chromium: install the system's package `chromium`, or set CHROMIUM to its path.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def watched(chromium: Browser, site: Site, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Watched]:
    """A page, logged in; width and colour scheme come from the test's parameters. At the end nothing was wrong."""
    options = getattr(request, "param", {"width": 1280, "scheme": "light"})
    context = chromium.new_context(
        viewport={"width": options["width"], "height": 900}, color_scheme=options["scheme"], accept_downloads=True
    )
    context.add_init_script(LISTEN)
    context.set_default_timeout(15_000)
    page = context.new_page()
    found = Watched(page=page, site=site)
    page.on("console", lambda message: found.faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: found.faults.append(str(error)))
    found.log_in()
    yield found
    context.close()
    assert found.faults == []
