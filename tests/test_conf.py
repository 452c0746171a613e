"""The setting COSTTRACK: a live, typed property per key, and a row in the README."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.test import override_settings

from costtrack.conf import DEFAULTS, Settings, settings

README = Path(__file__).parent.parent / "README.md"


@pytest.mark.parametrize("key", DEFAULTS)
def test_each_key_has_a_property_that_gives_its_default(key: str) -> None:
    assert isinstance(getattr(Settings, key.lower()), property)
    with override_settings(COSTTRACK={}):
        assert getattr(Settings(), key.lower()) == DEFAULTS[key]


def test_no_property_is_without_a_key() -> None:
    properties = {name for name, value in vars(Settings).items() if isinstance(value, property)}
    assert properties == {key.lower() for key in DEFAULTS}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("DEFAULT_ORGANIZATION", "acme"),
        ("TRANSPORT", "inline"),
        ("DATABASE", "costs"),
        ("SPOOL_DIR", "/var/lib/site/spool"),
        ("SPOOL_MAX_BYTES", 1 << 20),
        ("SPOOL_FSYNC", "always"),
        ("ORGANIZATION_RESOLVER", "site.organizations.resolve"),
        ("RATE_CACHE_SECONDS", 0.5),
        ("MAX_PROJECTS", 3),
        ("MAX_AGENTS", 4),
        ("METADATA_MAX_BYTES", 512),
        ("MAX_FUTURE_SECONDS", 0),
        ("INGEST_MAX_AGE_DAYS", 7),
        ("INGEST_MAX_BYTES", 1024),
        ("INGEST_RATE", "600/minute"),
        ("READ_TIMEOUT_MS", 0),
        ("BUDGET_LOCK_TIMEOUT_MS", 1),
        ("HOLD_TTL_SECONDS", 60),
        ("RUN_IDLE_HOURS", 1.5),
        ("BUDGET_BACKEND", "redis"),
        ("ON_UNKNOWN_BUDGETS", "deny"),
        ("REDIS_URL", "redis://127.0.0.1:6379/1"),
        ("REDIS_TIMEOUT_MS", 50),
        ("WEBHOOK_PRIVATE_HOSTS", ("hooks.internal",)),
        ("LITELLM_ATTRIBUTION", {"workflow": ("flow",)}),
        ("METRICS_TOKEN", "0123456789abcdef"),
        ("METRICS_MAX_SERIES", 7),
        ("BATCHABLE_ENDPOINTS", ("nightly-digest",)),
        ("MAX_OUTPUT_TOKENS", 4096),
        ("TOKEN_COUNTER", "site.tokens.count"),
    ],
)
def test_a_changed_key_is_seen_at_once(key: str, value: object) -> None:
    with override_settings(COSTTRACK={key: value}):
        assert getattr(settings, key.lower()) == value
    assert getattr(settings, key.lower()) == settings.defaults[key]


def test_a_site_without_the_setting_gets_the_defaults() -> None:
    with override_settings():
        del django_settings.COSTTRACK
        assert settings.default_organization == "default"
        assert Settings().transport == "spool"


def test_the_readme_has_a_row_for_each_key_with_its_default() -> None:
    """A row is ``| `KEY` | `default as Python` | meaning |``."""
    rows: dict[str, object] = {}
    for line in README.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 3 and cells[0].strip("`") in DEFAULTS:
            key, default, meaning = cells
            assert meaning, f"{key} has no meaning"
            rows[key.strip("`")] = ast.literal_eval(default.strip("`"))
    assert rows == DEFAULTS
