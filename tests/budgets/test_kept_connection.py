"""The connection over which a process keeps its list of budgets fresh: one that is of no use any more is left."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from costtrack.budgets import known
from costtrack.budgets.book import loaded_book
from costtrack.budgets.known import budgets_of, forget_budgets
from costtrack.models import Organization
from tests.budgets.asked import make_budget
from tests.factories import make_organization

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def spooling(settings: Any) -> Iterator[None]:
    """As in production; what is known is forgotten."""
    settings.COSTTRACK = {"TRANSPORT": "spool"}
    yield
    forget_budgets()


@pytest.fixture
def acme() -> Organization:
    return make_organization()


def test_a_kept_connection_that_the_server_ended_is_made_anew_at_once(
    acme: Organization, caplog: pytest.LogCaptureFixture
) -> None:
    assert budgets_of("acme") is None
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        assert len(cursor.fetchall()) == 1
    make_budget(acme)
    known.known_budgets("default").refresh()
    assert budgets_of("acme") is not None
    assert not caplog.records


def test_a_kept_connection_that_hangs_is_given_up_for_another(
    acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its host may be gone without a word."""
    assert budgets_of("acme") is None
    hung: list[threading.Thread] = []
    goes_on = threading.Event()

    def load(*args: Any, **kwargs: Any) -> Any:
        if not hung:
            hung.append(threading.current_thread())
            goes_on.wait(30)
        return loaded_book(*args, **kwargs)

    monkeypatch.setattr(known, "loaded_book", load)
    budgets = known.known_budgets("default")
    make_budget(acme)
    while not hung:
        budgets.refresh()
    budgets.refresh()
    found = budgets_of("acme")
    goes_on.set()
    hung[0].join(10)
    assert found is not None
    assert not hung[0].is_alive()
    assert budgets_of("acme") is found
