"""The list of budgets that a process keeps: fresh within two seconds, and no query of the caller's."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connections, transaction

from costtrack.budgets import known
from costtrack.budgets.changes import change_budget, delete_budget
from costtrack.budgets.known import budgets_of, forget_budgets
from costtrack.exceptions import BudgetExceeded, BudgetUnavailable
from costtrack.metering.corrections import void_usage
from costtrack.metering.ledger import record_events
from costtrack.models import BudgetCounter, Organization
from tests.budgets.asked import hold, make_budget
from tests.factories import make_event, make_organization, summed

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


def test_an_organization_that_never_had_a_budget_is_not_known(acme: Organization) -> None:
    assert budgets_of("acme") is None
    assert budgets_of("nobody") is None


def test_a_caller_makes_no_query(acme: Organization, django_assert_num_queries: Any) -> None:
    make_budget(acme, model="another-model")
    forget_budgets()
    with django_assert_num_queries(0):
        found = budgets_of("acme")
        assert hold("100") is None
    assert found is not None
    assert [rule.scope for rule in found.rules] == [(("model", "another-model"),)]


def test_a_change_is_known_within_two_seconds_without_being_asked_for(acme: Organization) -> None:
    budget = make_budget(acme)
    first = budgets_of("acme")
    assert first is not None
    change_budget(budget, name="renamed")
    deadline = time.monotonic() + 2
    seen = first
    while seen is first and time.monotonic() < deadline:
        time.sleep(0.05)
        seen = budgets_of("acme") or first
    assert seen.rules[0].name == "renamed"
    assert seen.epoch == first.epoch + 1


def test_a_call_after_a_pause_waits_for_the_list(acme: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "REFRESH_SECONDS", 0.01)
    monkeypatch.setattr(known, "IDLE_SECONDS", 0.01)
    monkeypatch.setattr(known, "FRESH_SECONDS", 0.02)
    assert budgets_of("acme") is None
    deadline = time.monotonic() + 5
    while any(thread.name == "costtrack-budgets" for thread in threading.enumerate()):
        assert time.monotonic() < deadline, "An idle thread goes on."
        time.sleep(0.01)
    make_budget(acme)
    time.sleep(0.03)
    assert budgets_of("acme") is not None


def test_a_new_zone_is_known_too(acme: Organization) -> None:
    make_budget(acme)
    budgets_of("acme")
    acme.change_timezone("Asia/Tokyo", now=datetime.now(UTC))
    known.known_budgets("default").refresh()
    found = budgets_of("acme")
    assert found is not None
    assert len(found.zones.zones) == 2


def test_while_the_database_is_away_the_list_stays_as_it_was(
    acme: Organization, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make_budget(acme)
    first = budgets_of("acme")

    def away(*args: Any, **kwargs: Any) -> None:
        raise ConnectionError("nobody answers")

    monkeypatch.setattr(known, "loaded_book", away)
    began = time.monotonic()
    known.known_budgets("default").refresh()
    assert budgets_of("acme") is first
    assert time.monotonic() - began < known.PATIENCE_SECONDS
    assert "stays as it was" in caplog.text


def test_a_database_that_hangs_is_waited_for_once(acme: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    make_budget(acme)
    first, book = budgets_of("acme"), known.known_budgets("default")
    answers, loaded = threading.Event(), known.loaded_book

    def hang(*args: Any, **kwargs: Any) -> Any:
        answers.wait(120)
        return loaded(*args, **kwargs)

    monkeypatch.setattr(known, "loaded_book", hang)
    monkeypatch.setattr(known, "PATIENCE_SECONDS", 0.05)
    try:
        while not book._is_overdue:
            book.refresh()
        monkeypatch.setattr(known, "PATIENCE_SECONDS", 60)
        began = time.monotonic()
        for _ in range(5):
            book.refresh()
        assert time.monotonic() - began < 60  # nobody waits in vain again
        assert budgets_of("acme") is first
    finally:
        answers.set()
    while book._is_overdue:
        time.sleep(0.01)
    make_budget(acme, "2")
    book.refresh()
    found = budgets_of("acme")
    assert found is not None
    assert len(found.rules) == 2


@pytest.mark.parametrize("policy", ["allow", "deny"])
def test_a_process_that_never_read_the_list_does_as_it_is_told(
    acme: Organization, monkeypatch: pytest.MonkeyPatch, settings: Any, policy: str
) -> None:
    make_budget(acme, "0")
    settings.COSTTRACK = {"TRANSPORT": "spool", "ON_UNKNOWN_BUDGETS": policy}
    with monkeypatch.context() as patch:
        patch.setattr(known, "loaded_book", lambda *args, **kwargs: 1 / 0)
        if policy == "allow":
            assert hold("5") is None
        else:
            with pytest.raises(BudgetUnavailable, match="could not be read"):
                hold("5")
    known.known_budgets("default").refresh()
    with pytest.raises(BudgetExceeded):
        hold("5")


def test_usage_is_booked_after_a_budget_was_deleted_elsewhere(acme: Organization) -> None:
    budget, other = make_budget(acme, enforcement="soft"), make_budget(acme, enforcement="soft", metric="calls")
    now = datetime.now(UTC)
    record_events([make_event(occurred_at=now)])  # now this process knows both
    delete_budget(budget)
    results = record_events([make_event(occurred_at=now), make_event(occurred_at=now)])
    assert [result.status for result in results] == ["recorded", "recorded"]
    assert summed(BudgetCounter.objects.get(budget=other).spent) == 3


def test_a_list_that_was_rolled_back_is_not_kept(acme: Organization) -> None:
    make_budget(acme, enforcement="soft")
    now = datetime.now(UTC)
    [result] = record_events([make_event(occurred_at=now)])
    assert result.usage_id is not None
    with transaction.atomic():
        make_budget(acme, enforcement="soft", name="draft")
        void_usage(result.usage_id, reason="a writer that has read the draft")
        transaction.set_rollback(True)
    make_budget(acme, "0")  # has the epoch that the draft had
    known.known_budgets("default").refresh()
    with pytest.raises(BudgetExceeded):
        hold("5", at=now)


def test_the_thread_closes_its_connection(acme: Organization) -> None:
    budgets_of("acme")
    forget_budgets()
    assert not any(thread.name == "costtrack-budgets" for thread in threading.enumerate())
    if connections["default"].vendor == "postgresql":
        with connections["default"].cursor() as cursor:
            deadline = time.monotonic() + 5
            count = 2
            while count > 1 and time.monotonic() < deadline:  # the server notices a moment later
                cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
                count = cursor.fetchone()[0]
            assert count == 1


def test_limits_are_read_when_they_are_needed(acme: Organization) -> None:
    budget = make_budget(acme, "1")
    hold("0.9")
    change_budget(budget, limit=Decimal(5))
    assert hold("4") is not None  # the list that is known is old, and the database says so
