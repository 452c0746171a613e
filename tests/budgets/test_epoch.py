"""The epoch vouches for the budgets that a process knows: it moves on with each change, and is never put back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import orjson
import pytest
from django.db import connection

from costtrack.budgets.backends.database import RESERVE
from costtrack.budgets.changes import change_budget
from costtrack.exceptions import BudgetExceeded
from costtrack.models import Budget, BudgetCounter, Hold, Organization
from tests.budgets.admitting import granted
from tests.budgets.asked import figures, hold, make_budget
from tests.factories import make_organization

IS_POSTGRES = connection.vendor == "postgresql"


def epoch_of(slug: str) -> int:
    return Organization.objects.get(slug=slug).budget_epoch


def test_who_saves_an_organization_that_was_read_before_does_not_put_it_back(acme: Organization) -> None:
    budget = make_budget(acme, "100")
    read_before = Organization.objects.get(pk=acme.pk)
    granted("0.25")
    change_budget(budget, limit=Decimal(1))
    moved_to = epoch_of("acme")
    read_before.name = "Acme"
    read_before.save()
    saved = Organization.objects.get(pk=acme.pk)
    assert (saved.name, saved.budget_epoch) == ("Acme", moved_to)
    with pytest.raises(BudgetExceeded):
        granted("0.8")


def test_nor_does_sql(acme: Organization) -> None:
    """On SQLite it may: there the limit is read with each reservation."""
    make_budget(acme, "100")
    before = epoch_of("acme")
    Organization.objects.filter(pk=acme.pk).update(budget_epoch=before - 1)
    assert epoch_of("acme") == (before if IS_POSTGRES else before - 1)


def test_a_budget_that_sql_gives_to_another_organization_is_told_to_both(acme: Organization) -> None:
    budget, globex = make_budget(acme, "100"), make_organization("globex")
    make_budget(globex, "5")
    before = epoch_of("acme"), epoch_of("globex")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE costtrack_budget SET organization_id = %s WHERE id = %s", [globex.pk, budget.pk])
    moved = 1 if IS_POSTGRES else 0
    assert (epoch_of("acme"), epoch_of("globex")) == (before[0] + moved, before[1] + moved)


def test_many_budgets_of_one_statement_move_it_once(acme: Organization) -> None:
    for number in range(5):
        make_budget(acme, "100", name=f"b{number}")
    before = epoch_of("acme")
    with connection.cursor() as cursor:
        cursor.execute('UPDATE costtrack_budget SET "limit" = 50')
    assert epoch_of("acme") == before + (1 if IS_POSTGRES else 0)


@pytest.mark.parametrize("enforcement", ["hard", "shadow"])
def test_a_process_of_before_that_names_no_limits_is_held_to_those_of_the_database(
    acme: Organization, enforcement: str
) -> None:
    budget = make_budget(acme, "0.5", enforcement=enforcement)
    granted("0.25")
    if not IS_POSTGRES:  # there is no function that old and new processes share
        return
    said = [asked_as_before(budget, "0.25")["kind"] for _ in range(3)]
    assert said == (["granted", "refused", "refused"] if enforcement == "hard" else ["granted"] * 3)
    assert figures(budget)[1] == (Decimal("0.5") if enforcement == "hard" else Decimal(1))


def asked_as_before(budget: Budget, amount: str) -> dict[str, object]:
    """The answer to a question that has neither limits nor enforcement."""
    counter = BudgetCounter.objects.get(budget=budget)
    asked = {
        "hold": uuid4(),
        "may_be_known": False,
        "organization": budget.organization_id,
        "epoch": epoch_of("acme"),
        "takings": [(budget.pk, counter.subject, counter.period_start, amount)],
        "admitted_at": datetime.now(UTC),
        "ttl_seconds": 900.0,
        "about": {},
        "is_unpriced": False,
        "lock_timeout": None,
    }
    with connection.cursor() as cursor:
        cursor.execute(RESERVE, [orjson.dumps(asked).decode()])
        found: dict[str, object] = orjson.loads(cursor.fetchone()[0])
    return found


def test_an_organization_that_is_deleted_takes_its_holds_along(acme: Organization) -> None:
    globex = make_organization("globex")
    now = datetime.now(UTC)
    for owner in (acme, globex):
        Hold.objects.create(
            id=uuid4(), organization=owner, parts=[], admitted_at=now, expires_at=now + timedelta(hours=1)
        )
    if IS_POSTGRES:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM costtrack_organization WHERE id = %s", [globex.pk])
    else:
        globex.delete()
    assert [one.organization_id for one in Hold.objects.all()] == [acme.pk]


def test_a_hold_is_refused_by_the_new_limit_at_once(acme: Organization) -> None:
    budget = make_budget(acme, "100")
    hold("0.25")
    change_budget(budget, limit=Decimal("0.3"))
    with pytest.raises(BudgetExceeded):
        hold("0.25")
