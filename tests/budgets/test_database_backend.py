"""Admission by the database: who asks again takes nothing twice, and who waits, or knows old budgets, gets no more."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.db.models import F

from costtrack.budgets.asking import Answer, Ask, Taking
from costtrack.budgets.backends.database import DatabaseBackend
from costtrack.budgets.book import OrganizationBudgets
from costtrack.budgets.changes import change_budget
from costtrack.budgets.counters import counters_of
from costtrack.budgets.known import budgets_of
from costtrack.domain.budget_rules import SCOPE, Quantities
from costtrack.exceptions import BudgetExceeded, HoldEnded
from costtrack.models import BudgetCounter, Hold, Organization
from tests.budgets.admitting import admitted, granted, in_threads, settle
from tests.budgets.asked import figures, make_budget
from tests.factories import NOON, make_organization, make_rate


@pytest.mark.parametrize("limit", ["0.7", "5"])
def test_one_that_is_asked_for_again_takes_nothing_whether_there_is_room_or_not(acme: Organization, limit: str) -> None:
    narrow, wide = make_budget(acme, limit, model="m"), make_budget(acme, "5")
    again = uuid4()
    first = granted("0.7", hold_id=again, model="m")
    assert granted("0.7", hold_id=again, model="m") == first
    assert figures(narrow) == figures(wide) == (Decimal(0), Decimal("0.7"))
    assert Hold.objects.count() == 1


def test_one_that_is_asked_for_again_is_not_counted_again_as_a_call_that_a_rehearsal_would_have_refused(
    acme: Organization,
) -> None:
    shadow, fits = make_budget(acme, "0.5", enforcement="shadow", model="m"), make_budget(acme, "5")
    again = uuid4()
    for _ in range(3):
        granted("0.7", hold_id=again, model="m")
    counts = dict(BudgetCounter.objects.values_list("budget", "shadow_refusals"))
    assert counts == {shadow.id: 1, fits.id: 0}
    assert figures(shadow) == figures(fits) == (Decimal(0), Decimal("0.7"))


def test_a_refused_call_is_no_refusal_of_the_rehearsals_before(acme: Organization) -> None:
    shadow, full = make_budget(acme, "0.5", enforcement="shadow", model="m"), make_budget(acme, "0.6")
    with pytest.raises(BudgetExceeded):
        granted("0.7", model="m")
    assert set(BudgetCounter.objects.values_list("shadow_refusals", flat=True)) == {0}
    assert figures(shadow) == figures(full) == (Decimal(0), Decimal(0))


def test_where_there_is_room_one_that_has_expired_holds_again(acme: Organization) -> None:
    budget, again = make_budget(acme, "5"), uuid4()
    expired = granted("0.7", hold_id=again, ttl=timedelta(days=-400))
    renewed = granted("0.7", hold_id=again, ttl=timedelta(days=400))
    assert expired.expires_at is not None
    assert renewed.expires_at is not None
    assert renewed.expires_at - expired.expires_at > timedelta(days=799)
    assert figures(budget) == (Decimal(0), Decimal("0.7"))


def test_where_there_is_room_one_that_has_ended_is_not_taken_again(acme: Organization) -> None:
    budget = make_budget(acme, "5")
    one = granted("0.7")
    settle(one)
    with pytest.raises(HoldEnded, match="settled"):
        granted("0.7", hold_id=one.hold_id)
    assert figures(budget) == (Decimal("0.0045"), Decimal(0))


@pytest.mark.django_db(transaction=True)
def test_asked_for_by_many_at_once_it_is_taken_once() -> None:
    make_rate()
    acme = make_organization()
    narrow, wide = make_budget(acme, "5", model="m"), make_budget(acme, "5")
    again = uuid4()
    threads = 2 if connection.vendor == "sqlite" else 8  # SQLite has one writer: the others only wait
    assert in_threads(threads, lambda: len({granted("0.7", hold_id=again, model="m").hold_id})) == threads
    assert figures(narrow) == figures(wide) == (Decimal(0), Decimal("0.7"))
    assert Hold.objects.count() == 1


def answer_to_who_knows(budgets: OrganizationBudgets, cost: str) -> Answer:
    """What the database says to a process that has this list of budgets."""
    facts = {**dict.fromkeys(SCOPE, ""), "project_id": None, "agent_id": None}
    worst = Quantities(cost_usd=Decimal(cost))
    ask = Ask(hold_id=uuid4(), facts=facts, worst=worst, at=NOON, ttl=timedelta(minutes=5), about={})
    takings = [Taking(counter, Decimal(cost)) for counter in counters_of(facts, NOON, budgets, budgets.holding)]
    return DatabaseBackend("default").reserve(ask, takings, budgets, is_unpriced=False)


def test_who_knows_an_old_list_of_budgets_is_told_so_and_takes_nothing(acme: Organization) -> None:
    budget = make_budget(acme, "1")
    granted("0.1")
    old = budgets_of("acme")
    assert old is not None
    assert answer_to_who_knows(old, "0.1").kind == "granted"
    change_budget(budget, name="another")
    assert answer_to_who_knows(old, "0.1").kind == "stale"
    assert figures(budget) == (Decimal(0), Decimal("0.2"))
    assert Hold.objects.count() == 2


def test_a_limit_that_sql_alone_has_changed_holds_at_the_next_reservation(acme: Organization) -> None:
    make_budget(acme, "1")
    granted("0.1")
    with connection.cursor() as cursor:
        cursor.execute('UPDATE costtrack_budget SET "limit" = 0.3')
    granted("0.2")
    with pytest.raises(BudgetExceeded) as refused:
        granted("0.000000000001")
    assert refused.value.figures["limit"] == Decimal("0.3")
    assert refused.value.figures["held"] == Decimal("0.3")


@pytest.mark.django_db(transaction=True)
def test_what_another_takes_meanwhile_is_taken_when_it_is_its_turn(settings) -> None:
    settings.COSTTRACK = {**settings.COSTTRACK, "BUDGET_LOCK_TIMEOUT_MS": 20_000}
    make_rate()
    budget = make_budget(make_organization(), "1")
    granted("0.1")
    with ThreadPoolExecutor(1) as thread:
        with transaction.atomic():
            BudgetCounter.objects.update(held=F("held") + Decimal("0.8"))
            waiting = thread.submit(in_threads, 1, lambda: admitted(1, "0.2"))  # 0.1 + 0.2 are no more than 1, yet
            wait_until_one_waits()
        assert waiting.result(30) == 0  # 0.9 + 0.2 are
    assert figures(budget) == (Decimal(0), Decimal("0.9"))


def wait_until_one_waits() -> None:
    """Until somebody waits for what this transaction has locked. SQLite does not say who waits."""
    deadline = time.monotonic() + 20
    while connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.3)
