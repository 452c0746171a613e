"""Refused calls: the limit is told of at once, also out of a transaction that the refusal ends."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction

from costtrack.alerts import at_once
from costtrack.budgets.changes import change_budget
from costtrack.exceptions import BudgetExceeded
from costtrack.models import Budget, BudgetAlert
from costtrack.testing.isolation import let_go
from tests.budgets.asked import hold, make_budget
from tests.factories import make_organization, make_rate

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def budget() -> Any:
    make_rate()
    budget = make_budget(make_organization(), "0.001")
    budget.thresholds.create(level=100)
    at_once._seen.clear()
    yield budget
    at_once._seen.clear()


def refuse() -> None:
    with pytest.raises(BudgetExceeded):
        hold("0.002")


def told() -> int:
    at_once.wait_for_raising(30)
    return BudgetAlert.objects.count()


def test_a_refusal_in_a_transaction_that_it_ends_is_told_all_the_same(budget: Budget) -> None:
    with pytest.raises(BudgetExceeded), transaction.atomic():
        hold("0.002")
    if connection.vendor == "sqlite":  # it has one writer: the next refusal outside tells
        assert told() == 0
        refuse()
    assert told() == 1


def test_the_same_refusal_again_asks_nothing_of_the_database_for_a_while(
    budget: Budget, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse()
    assert told() == 1
    BudgetAlert.objects.all().delete()
    refuse()
    assert told() == 0
    monkeypatch.setattr(at_once, "REMEMBERED_SECONDS", 0)
    refuse()
    assert told() == 1


def test_a_raised_limit_that_refuses_again_is_told_again(budget: Budget) -> None:
    refuse()
    change_budget(budget, limit=Decimal("0.0015"))
    refuse()
    assert told() == 2


def test_what_fails_in_a_transaction_does_not_break_it(budget: Budget, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**kwargs: Any) -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SELECT no_such_column")

    monkeypatch.setattr(at_once, "refused", fail)
    with transaction.atomic():
        refuse()
        assert Budget.objects.count() == 1
    assert told() == 0


def test_whatever_fails_on_the_thread_that_raises_apart_is_in_the_log(
    budget: Budget, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        time.sleep(0.2)
        raise RuntimeError("no database here")

    monkeypatch.setattr(at_once, "raise_refused", fail)
    with pytest.raises(BudgetExceeded), transaction.atomic():
        hold("0.002")
    let_go(30)  # as the testing kit does after each test
    if connection.vendor != "sqlite":
        assert "Thresholds are looked at later: no database here" in caplog.text
