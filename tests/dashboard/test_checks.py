"""What a site that serves the dashboard is told before anybody opens it."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.core.checks import registry, run_checks
from django.test import override_settings

from costtrack.checks import check_dashboard

AUTHENTICATION = "django.contrib.auth.middleware.AuthenticationMiddleware"


def ids() -> list[str | None]:
    return [message.id for message in run_checks(tags=["costtrack"]) if message.hint]


def test_the_check_is_registered_and_the_example_site_passes() -> None:
    assert check_dashboard in registry.registry.get_checks()
    assert ids() == []


def test_somebody_has_to_know_who_asks() -> None:
    with override_settings(MIDDLEWARE=[one for one in settings.MIDDLEWARE if one != AUTHENTICATION]):
        assert ids() == ["costtrack.E043"]


@pytest.mark.parametrize(
    ("login_url", "found"),
    [
        ("admin:login", []),
        ("/admin/login/", []),
        ("https://sso.example.org/login", []),
        ("/accounts/login/", ["costtrack.E044"]),
        ("no:such-name", ["costtrack.E044"]),
    ],
)
def test_the_login_has_to_be_somewhere(login_url: str, found: list[str]) -> None:
    with override_settings(LOGIN_URL=login_url):
        assert ids() == found


def test_its_templates_have_to_be_found() -> None:
    [engine] = settings.TEMPLATES
    with override_settings(TEMPLATES=[{**engine, "APP_DIRS": False}]):
        assert ids() == ["costtrack.E045"]


@pytest.mark.parametrize("changed", [{"LOGIN_URL": "/accounts/login/"}, {"MIDDLEWARE": []}])
def test_a_site_without_the_dashboard_is_told_nothing(changed: dict[str, Any]) -> None:
    with override_settings(ROOT_URLCONF="tests.exits.urls", **changed):
        assert ids() == []
