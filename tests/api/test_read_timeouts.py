"""A GET that would keep the database busy for too long is a 503 (PostgreSQL; SQLite has no such limit)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from costtrack.api.health import HealthView
from costtrack.models import Organization
from tests.api.callers import ROOT, robot
from tests.factories import make_organization
from tests.slow_reads import has_limit, locked_away, statement_timeout

pytestmark = pytest.mark.django_db(transaction=True)
READ_FROM = {
    "daily": "costtrack_dailycostsummary",
    "trend": "costtrack_dailycostsummary",
    "summary": "costtrack_dailycostsummary",
    "conversation/t1": "costtrack_resourceusage",
    "usage": "costtrack_resourceusage",
    "budgets/status": "costtrack_budget",
}
"""Of some routes, a table that they read."""


@pytest.fixture(autouse=True)
def short(settings: Any) -> None:
    """Readers have a tenth of a second."""
    settings.COSTTRACK = {**settings.COSTTRACK, "READ_TIMEOUT_MS": 100}


@pytest.fixture(params=[False, True], ids=["", "each request is a transaction"])
def client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """A robot of acme, on a site of either kind."""
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", request.param)
    yield robot(make_organization())
    assert not connection.in_atomic_block
    assert statement_timeout() in ("0", "")


@pytest.mark.parametrize("path", READ_FROM)
def test_what_takes_too_long_is_a_503_that_says_what_to_do(client: Client, path: str) -> None:
    with locked_away(READ_FROM[path]):
        answer = client.get(ROOT + path)
    if has_limit():
        assert (answer.status_code, answer["Content-Type"]) == (503, "application/problem+json")
        assert answer.json() == {
            "type": "about:blank",
            "title": "Service Unavailable",
            "status": 503,
            "detail": "This took longer than 100 ms: ask for a shorter period, or for fewer rows.",
        }
    assert client.get(ROOT + path).status_code in (200, 404)
    assert Organization.objects.get().slug == "acme"


def test_head_is_limited_as_get_is(client: Client) -> None:
    with locked_away("costtrack_dailycostsummary"):
        assert client.head(f"{ROOT}daily").status_code == (503 if has_limit() else 200)


def test_health_is_told_in_no_transaction() -> None:
    with HealthView().reading():
        assert not connection.in_atomic_block
        assert statement_timeout() in ("0", "")
