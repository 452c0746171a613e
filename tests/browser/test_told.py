"""Behind an ASGI server an open page is told of changes, and need not poll for them."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Watched
from tests.browser.serving import demo_site

pytestmark = pytest.mark.browser


def test_an_open_page_is_told_of_new_usage(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    with demo_site(tmp_path_factory.mktemp("told"), days=3, is_async=True) as site:
        page = chromium.new_page()
        watched = Watched(page=page, site=site)
        page.on("console", lambda message: watched.faults.append(message.text) if message.type == "error" else None)
        watched.log_in()
        watched.open("/costs/?organization=demo-retail")
        expect(page.locator("#ct-live")).to_have_attribute("data-told", "yes", timeout=15_000)
        calls = page.locator("#ct-tile-calls .ct-value")
        before = calls.inner_text()
        token = site.key("--organization", "demo-retail", "--name", "told")
        call = {"provider": "openai", "model": "gpt-4.1", "input_tokens": 10, "output_tokens": 5, "cost_usd": "1"}
        site.post("usage", call, token=token)
        expect(calls).not_to_have_text(before, timeout=14_000)  # sooner than it would have polled
        page.close()
    assert watched.faults == []
