"""Runs with the spool: other threads and connections write, whatever the caller's transaction does."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction

from costtrack import BudgetExceeded, meter, record_plan, run_variance, usage_run
from costtrack.budgets.known import known_budgets
from costtrack.jobs import upkeep
from costtrack.models import Organization, UsageRun
from tests.factories import make_organization, make_rate

pytestmark = pytest.mark.django_db(transaction=True)
CALL: dict[str, Any] = {"provider": "openai", "model": "test-model", "input_tokens": 1_000, "max_output_tokens": 100}


@pytest.fixture
def acme(settings: Any) -> Organization:
    settings.COSTTRACK = {"TRANSPORT": "spool"}
    make_rate()
    return make_organization()


def call() -> None:
    """0.0045 USD."""
    with meter("docs", **CALL) as made:
        made.set_usage(input_tokens=1_000, output_tokens=100)


def test_what_a_run_used_is_in_the_ledger_when_its_block_has_ended(acme: Organization) -> None:
    plan = record_plan("docs", organization="acme", estimated_calls=2, estimated_cost_usd="0.01")
    with usage_run(plan=plan):
        call()
        call()
    variance = run_variance(UsageRun.objects.get())
    assert (variance.calls.actual, variance.cost_usd.actual_total) == (2, Decimal("0.009"))
    assert variance.cost_usd.delta == Decimal("-0.001")


def call_up_to(times: int, *, cost_cap: str) -> None:
    plan = record_plan("docs", organization="acme", cost_cap=cost_cap)
    known_budgets("default").refresh()  # as in a process that meters: without the run's budget it is good for 2 s
    with usage_run(plan=plan, enforce=True):
        for _ in range(times):
            call()


@pytest.mark.parametrize(("cost_cap", "calls"), [("0.004", 0), ("0.01", 2)])
def test_the_very_next_call_is_held_to_the_cap_of_an_enforced_run(
    acme: Organization, cost_cap: str, calls: int
) -> None:
    with pytest.raises(BudgetExceeded):
        call_up_to(3, cost_cap=cost_cap)
    variance = run_variance(UsageRun.objects.get())
    assert (variance.run.status, variance.figures.calls) == ("failed", calls)


def run_and_roll_back() -> None:
    with transaction.atomic():
        plan = record_plan("docs", organization="acme", cost_cap="0.01")
        with usage_run(plan=plan):
            call()
        transaction.set_rollback(True)


def test_a_run_outlives_the_rollback_of_its_caller_as_its_usage_does(acme: Organization) -> None:
    run_and_roll_back()
    if connection.vendor == "sqlite":  # it has one writer: the run is part of that transaction
        assert not UsageRun.objects.exists()
    else:
        assert UsageRun.objects.get().status == "completed"
        assert run_variance(UsageRun.objects.get()).figures.calls == 1


def test_the_job_that_books_what_the_dead_left_closes_their_runs(acme: Organization, settings: Any) -> None:
    with usage_run("docs", organization="acme"):
        pass
    UsageRun.objects.update(status="running", completed_at=None, started_at="2026-01-01T00:00:00Z")
    upkeep.flush_leftovers()
    assert UsageRun.objects.get().status == "crashed"
