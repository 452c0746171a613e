"""A database that does not answer is a 503 that says to try again, wherever it is noticed."""

from __future__ import annotations

import logging

import pytest
from django.db import InterfaceError, OperationalError
from django.test import Client

from costtrack.models import Organization
from tests.api.callers import ROOT

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("failure", [OperationalError, InterfaceError])
@pytest.mark.parametrize(
    ("method", "path", "work"),
    [
        ("post", "budgets", "costtrack.api.budgets.create_budget"),
        ("get", "budgets", "costtrack.api.budgets.budgets_within"),
    ],
)
def test_a_database_that_is_away_is_told(
    acme: Organization,
    manager: Client,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    failure: type[Exception],
    method: str,
    path: str,
    work: str,
) -> None:
    def fail(*args: object, **options: object) -> None:
        raise failure("the server is gone")

    monkeypatch.setattr(work, fail)
    sent = {"organization": "acme"} if method == "post" else {}
    with caplog.at_level(logging.ERROR, logger="costtrack"):
        answer = getattr(manager, method)(ROOT + path, sent, content_type="application/json")
    assert (answer.status_code, answer["Content-Type"]) == (503, "application/problem+json")
    assert answer.json()["detail"] == f"The database does not answer now ({failure.__name__}). Try again."
    assert "the server is gone" in caplog.text
