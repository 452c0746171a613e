"""`rebuild_counters` finds every figure that differs from the books, and sets it right."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from costtrack.budgets.changes import change_budget
from costtrack.budgets.holds import release
from costtrack.metering.corrections import void_usage
from costtrack.metering.ledger import record_events
from costtrack.models import BudgetCounter, BudgetLease, Organization, ResourceUsage
from tests.budgets.asked import figures, hold, make_budget
from tests.factories import NOON, make_event, make_organization, make_rate

pytestmark = pytest.mark.django_db

COST = Decimal("0.0045")  # (1000 x 3 + 100 x 15) / 1,000,000
VERIFIED = "Verified: every running counter equals the ledger and the live holds.\n"


@pytest.fixture(autouse=True)
def at_noon() -> Iterator[None]:
    with time_machine.travel(NOON):
        yield


@pytest.fixture
def acme(db: None) -> Organization:
    make_rate()
    return make_organization()


def rebuild(*arguments: str, out: StringIO | None = None, **options: Any) -> str:
    out = out or StringIO()
    call_command("rebuild_counters", *arguments, stdout=out, **options)
    return out.getvalue()


def lease(counter: BudgetCounter, remaining: str) -> None:
    BudgetLease.objects.create(
        counter=counter,
        run="run",
        epoch=1,
        granted=Decimal(1),
        remaining=Decimal(remaining),
        granted_at=NOON,
        expires_at=NOON + timedelta(hours=1),
    )
    BudgetCounter.objects.filter(pk=counter.pk).update(leased=Decimal(remaining))


def test_counters_that_usage_and_holds_have_moved_agree_with_the_books(acme: Organization) -> None:
    make_budget(acme, "10")
    make_budget(acme, "1000000", metric="tokens", period="total", per="thread")
    make_budget(acme, "1000", metric="calls", period="month", enforcement="soft")
    record_events([make_event(attribution={"thread_id": "t1"}) for _ in range(3)])
    first, second = hold("0.1", thread_id="t1"), hold("0.2")
    assert first is not None
    assert second is not None
    assert second.hold_id is not None
    release(second.hold_id, using="default")
    record_events([make_event(hold_id=first.hold_id.hex if first.hold_id else "", attribution={"thread_id": "t1"})])
    hold("0.3")
    void_usage(ResourceUsage.objects.earliest("id"), reason="a test")
    lease(BudgetCounter.objects.earliest("id"), "0.25")
    assert rebuild("--verify") == VERIFIED
    assert rebuild() == "Nothing to do: every running counter equals the ledger and the live holds.\n"


def test_each_figure_that_differs_is_said_and_the_exit_code_is_1(acme: Organization) -> None:
    budget = make_budget(acme, name="day", per="thread")
    record_events([make_event(attribution={"thread_id": "t1"})])
    hold("0.2", thread_id="t1")
    BudgetCounter.objects.update(spent=Decimal("0.5"), held=Decimal("0.1"), leased=Decimal("0.3"))
    out = StringIO()
    with pytest.raises(CommandError, match=r"^3 differences between budget counters and the books\.") as refused:
        rebuild("--verify", out=out)
    assert refused.value.returncode == 1
    which = f"DIFFERS budget {budget.pk} (day) of t1 from 2026-11-20 00:00 UTC:"
    assert out.getvalue().splitlines() == [
        f"{which} held was 0.1, live holds hold 0.2",
        f"{which} leased was 0.3, leases hold 0",
        f"{which} spent was 0.5, the ledger says 0.0045",
    ]
    assert figures(budget, "t1") == (Decimal("0.5"), Decimal("0.1"))


def test_without_verify_it_sets_them_right(acme: Organization) -> None:
    budget = make_budget(acme, name="day")
    record_events([make_event()])
    hold("0.2")
    lease(BudgetCounter.objects.get(), "0.25")
    BudgetCounter.objects.update(spent=0, held=Decimal(7), leased=0)
    lines = rebuild().splitlines()
    which = f"Set right budget {budget.pk} (day) from 2026-11-20 00:00 UTC:"
    assert lines == [
        f"{which} held was 7, live holds hold 0.2",
        f"{which} leased was 0, leases hold 0.25",
        f"{which} spent was 0, the ledger says 0.0045",
    ]
    assert figures(budget) == (COST, Decimal("0.2"))
    assert BudgetCounter.objects.get().leased == Decimal("0.25")
    assert rebuild("--verify") == VERIFIED


def test_json_of_both(acme: Organization) -> None:
    budget = make_budget(acme, name="day")
    record_events([make_event()])
    counter = BudgetCounter.objects.get()
    assert json.loads(rebuild("--verify", "--json")) == {"verified": True, "differences": []}
    BudgetCounter.objects.update(spent=Decimal("0.5"))
    difference = {
        "counter_id": counter.pk,
        "budget_id": budget.pk,
        "budget": "day",
        "subject": "",
        "period_start": "2026-11-20T00:00:00+00:00",
        "figure": "spent",
        "counter": "0.5",
        "books": "0.0045",
    }
    out = StringIO()
    with pytest.raises(CommandError):
        rebuild("--verify", "--json", out=out)
    assert json.loads(out.getvalue()) == {"verified": False, "differences": [difference]}
    assert json.loads(rebuild("--json")) == {"rebuilt": 1, "differences": [difference]}
    assert json.loads(rebuild("--json")) == {"rebuilt": 0, "differences": []}


def test_one_organization_alone(acme: Organization) -> None:
    make_budget(acme)
    other = make_organization("other")
    theirs = make_budget(other)
    record_events([make_event(), make_event(attribution={"organization": "other"})])
    BudgetCounter.objects.update(spent=Decimal(3))
    assert len(rebuild("--organization", "acme").splitlines()) == 1
    assert figures(theirs)[0] == Decimal(3)
    assert rebuild("--verify", "--organization", "acme") == VERIFIED
    with pytest.raises(CommandError, match="does not exist"):
        rebuild("--organization", "nobody")


def test_periods_that_are_over_and_budgets_that_rest_are_left_alone(acme: Organization) -> None:
    budget = make_budget(acme)
    resting = make_budget(acme)
    record_events([make_event()])
    change_budget(resting, is_active=False)
    record_events([make_event()])
    BudgetCounter.objects.filter(budget=budget).update(spent=Decimal(3))
    with time_machine.travel(NOON + timedelta(days=1)):
        assert rebuild("--verify") == VERIFIED
    rebuild()
    assert figures(budget)[0] == Decimal("0.009")  # 2 x 0.0045
    assert figures(resting)[0] == COST
    BudgetCounter.objects.filter(budget=resting).update(held=Decimal(1))
    rebuild()
    assert figures(resting) == (COST, Decimal(0))


def test_progress_is_shown_on_a_terminal_only(acme: Organization) -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    make_budget(acme, per="thread")
    record_events([make_event(attribution={"thread_id": f"t{number}"}) for number in range(3)])
    terminal, pipe = Terminal(), StringIO()
    rebuild("--verify", stderr=terminal)
    rebuild("--verify", stderr=pipe)
    assert terminal.getvalue().endswith("\r")
    assert pipe.getvalue() == ""


@pytest.mark.django_db(transaction=True)
def test_it_compares_in_one_snapshot_and_mends_behind_the_organization_s_lock(acme: Organization) -> None:
    budget = make_budget(acme)
    record_events([make_event()])
    BudgetCounter.objects.update(spent=Decimal(3))
    with CaptureQueriesContext(connection) as asked:
        rebuild()
    assert figures(budget)[0] == COST
    if connection.vendor == "postgresql":
        statements = [query["sql"] for query in asked.captured_queries]
        assert statements[:2] == ["BEGIN", "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"]
        second = statements[statements.index("COMMIT") + 1 :]
        assert second[0] == "BEGIN"
        assert ('"costtrack_organization"' in second[1], second[1].endswith("FOR UPDATE")) == (True, True)
        assert ('"costtrack_budgetcounter"' in second[2], "FOR NO KEY UPDATE" in second[2]) == (True, True)
        assert "lock_rank" in second[2]
