"""Runs: what belongs to them, how they end, and what watches their caps."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextvars import copy_context
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from asgiref.sync import async_to_sync
from django.db import IntegrityError, connection, transaction

from costtrack import BudgetExceeded, InvalidUsage, attribute, meter, record_plan, record_usage, usage_run
from costtrack.alerts.evaluate import raise_budget_alerts
from costtrack.metering.context import current_attribution
from costtrack.metering.runs.upkeep import tidy_runs
from costtrack.models import Budget, BudgetAlert, CostPlan, Organization, ResourceUsage, RunWorkflow, UsageRun
from tests.factories import NOON, make_organization, make_rate

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme(db: None) -> Organization:
    make_rate()
    return make_organization()


def use(**fields: Any) -> None:
    """1,000 x 3 + 100 x 15 = 4,500 per million: 0.0045 USD."""
    record_usage(model="test-model", provider="openai", input_tokens=1_000, output_tokens=100, **fields)


def run_of(name: str = "docs", **fields: Any) -> UsageRun:
    with usage_run(name, organization="acme", **fields) as run:
        use()
    return UsageRun.objects.get(run_id=run.run_id)


def test_what_is_metered_inside_has_the_run_its_workflow_and_its_stage(acme: Organization) -> None:
    use(organization="acme")
    with usage_run("docs", organization="acme", project="website") as run:
        use()
        with run.workflow("draft") as draft, draft.stage("write"):
            use()
        use(run="mine")
    use(organization="acme")
    rows = ResourceUsage.objects.order_by("id").values_list("run", "workflow", "stage", "project__slug")
    assert list(rows) == [
        ("", "", "", None),
        (run.run_id, "", "", "website"),
        (run.run_id, "draft", "write", "website"),
        ("mine", "", "", "website"),
        ("", "", "", None),
    ]


def test_runs_are_counted_by_name_in_their_project(acme: Organization) -> None:
    indexes = [run_of(name, **fields).run_index for name, fields in RUNS]
    assert indexes == [1, 2, 1, 1, 2, 3]


RUNS: list[tuple[str, dict[str, Any]]] = [
    ("docs", {}),
    ("docs", {}),
    ("other", {}),
    ("docs", {"project": "website"}),
    ("docs", {"project": "website"}),
    ("docs", {}),
]


def fail_in_the_second_workflow() -> None:
    with usage_run("docs", organization="acme") as run:
        with run.workflow("outline"):
            pass
        with run.workflow("draft"):
            raise ZeroDivisionError


def test_a_run_ends_as_completed_or_as_failed_and_its_error_goes_on(acme: Organization) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        with usage_run("docs", organization="acme") as run, run.workflow("draft"):
            clock.shift(timedelta(seconds=1.5))
        with pytest.raises(ZeroDivisionError):
            fail_in_the_second_workflow()
    good, bad = UsageRun.objects.order_by("id")
    assert (good.status, good.error_type, good.duration_seconds) == ("completed", "", Decimal("1.5"))
    assert (bad.status, bad.error_type, bad.duration_seconds) == ("failed", "ZeroDivisionError", Decimal(0))
    states = RunWorkflow.objects.order_by("id").values_list("workflow_id", "status")
    assert list(states) == [("draft", "completed"), ("outline", "completed"), ("draft", "failed")]


def test_a_run_inside_another_has_its_usage_to_itself(acme: Organization) -> None:
    with usage_run("outer", organization="acme") as outer:
        with usage_run("inner") as inner:
            use()
        use()
    rows = ResourceUsage.objects.order_by("id").values_list("run", flat=True)
    assert list(rows) == [inner.run_id, outer.run_id]
    assert UsageRun.objects.get(name="inner").organization == acme


def stop_a_worker() -> None:
    with usage_run("docs", organization="acme", run_id="job-7"):
        use()
        raise KeyboardInterrupt


def test_the_same_run_id_goes_on_with_the_run(acme: Organization) -> None:
    with pytest.raises(KeyboardInterrupt):
        stop_a_worker()
    assert UsageRun.objects.get().error_type == "KeyboardInterrupt"
    with usage_run("docs", organization="acme", run_id="job-7") as again:
        use()
    row = UsageRun.objects.get()
    assert (row.run_index, again.run_index, row.status, row.error_type) == (1, 1, "completed", "")
    assert ResourceUsage.objects.filter(run="job-7").count() == 2
    with (
        pytest.raises(InvalidUsage, match="it is that of docs #1"),
        usage_run("other", organization="acme", run_id="job-7"),
    ):
        pass


def test_a_plan_is_found_by_itself_its_id_or_its_name(acme: Organization) -> None:
    with attribute(organization="acme"):
        old, new = record_plan("docs", estimated_calls=1), record_plan("docs", estimated_calls=2)
        for plan, found in ((old, old), (old.plan_id, old), ("docs", new)):
            with usage_run(plan=plan) as run:
                pass
            row = UsageRun.objects.get(run_id=run.run_id)
            assert (row.snapshot, row.plan_id, row.name) == (found, found.plan_id, "docs")
        with usage_run(plan="nobody's") as run:
            pass
    row = UsageRun.objects.get(run_id=run.run_id)
    assert (row.snapshot, row.plan_id, row.name) == (None, "nobody's", "nobody's")


def test_a_plan_lends_its_organization_and_project_unless_the_run_says_others(acme: Organization) -> None:
    globex = make_organization("globex")
    plan = record_plan("docs", organization="acme", project="website")
    with usage_run(plan=plan):
        use()
    row = ResourceUsage.objects.get()
    assert (row.organization, row.project) == (acme, plan.project)
    with (
        pytest.raises(InvalidUsage, match="a plan of the run's organization, globex"),
        usage_run(plan=plan, organization=globex.slug),
    ):
        pass
    with usage_run(plan=plan.plan_id, organization="globex") as run:
        pass
    assert UsageRun.objects.get(run_id=run.run_id).snapshot is None


def capped(**caps: Any) -> CostPlan:
    return record_plan("docs", organization="acme", **caps)


def test_an_alert_is_raised_when_a_run_reaches_its_cap(acme: Organization) -> None:
    with usage_run(plan=capped(cost_cap="0.01", max_calls=9)) as run:
        use()
        use()
        raise_budget_alerts()
        assert not BudgetAlert.objects.exists()
        use()  # 0.0135 of 0.01; nothing is refused
    raise_budget_alerts()
    alert = BudgetAlert.objects.get()
    assert alert.severity == "warning"
    assert "Run docs #1: cost_usd" in alert.message
    row = UsageRun.objects.get(run_id=run.run_id)
    assert {(one.metric, one.limit, one.enforcement) for one in row.budgets.all()} == {
        ("cost_usd", Decimal("0.01"), "soft"),
        ("calls", Decimal(9), "soft"),
    }


TOLD: dict[str, Any] = {"model": "test-model", "provider": "openai", "input_tokens": 1_000, "max_output_tokens": 100}


def call_three_times(plan: CostPlan) -> None:
    with usage_run(plan=plan, enforce=True):
        for _ in range(3):
            with meter("docs", **TOLD) as call:
                call.observe({"model": "test-model", "usage": {"prompt_tokens": 1_000, "completion_tokens": 100}})


def test_an_enforced_run_refuses_the_call_that_could_pass_its_cap(acme: Organization) -> None:
    with pytest.raises(BudgetExceeded):
        call_three_times(capped(cost_cap="0.01"))
    run = UsageRun.objects.get()
    assert (run.status, run.error_type) == ("failed", "BudgetExceeded")
    assert ResourceUsage.objects.filter(run=run.run_id).count() == 2  # 0.009; a third would be 0.0135
    with meter("docs", organization="acme", **TOLD):
        pass  # another run's, or nobody's, call is not refused


def test_a_name_that_no_budget_takes_has_blanks_in_the_names_of_its_budgets(acme: Organization) -> None:
    with usage_run("a\u2003b", plan=capped(cost_cap="0.01")):
        pass
    assert Budget.objects.get().name == "Run a b #1: cost_usd"


def test_what_can_not_be_enforced_is_refused_before_the_run(acme: Organization) -> None:
    for plan in (None, "nobody's", capped(estimated_calls=1)):
        with (
            pytest.raises(InvalidUsage, match="a plan with max_calls or a cost_cap"),
            usage_run("docs", plan=plan, enforce=True, organization="acme"),
        ):
            pass
    assert not UsageRun.objects.exists()


def test_the_budgets_of_a_run_that_ended_rest_after_an_hour_and_wake_when_it_goes_on(acme: Organization) -> None:
    plan = capped(cost_cap="0.01")
    with usage_run(plan=plan, run_id="job-7"):
        pass
    ended = UsageRun.objects.get().completed_at
    assert ended is not None
    tidy_runs(now=ended + timedelta(minutes=59))
    assert Budget.objects.get().is_active
    tidy_runs(now=ended + timedelta(minutes=61))
    assert not Budget.objects.get().is_active
    with usage_run(plan=plan, run_id="job-7"):
        assert Budget.objects.get().is_active


def begun(name: str) -> str:
    """The id of a run whose process dies inside."""

    def begin() -> str:
        run = usage_run(name, organization="acme").__enter__()
        run.workflow("draft").__enter__()
        return run.run_id

    return copy_context().run(begin)


def test_a_run_that_nothing_is_heard_of_for_a_day_is_closed_as_crashed(acme: Organization) -> None:
    with time_machine.travel(NOON, tick=False):
        silent = begun("silent")
    with time_machine.travel(NOON, tick=False) as clock:
        busy = begun("busy")
        clock.shift(timedelta(hours=2))
        use(run=busy, organization="acme")
    assert tidy_runs(now=NOON + timedelta(hours=24)) == 0
    assert tidy_runs(now=NOON + timedelta(hours=25)) == 1
    row = UsageRun.objects.get(run_id=silent)
    assert (row.status, row.completed_at) == ("crashed", NOON)
    assert row.workflows.get().status == "crashed"
    assert UsageRun.objects.get(run_id=busy).status == "running"
    assert tidy_runs(now=NOON + timedelta(hours=27)) == 1
    assert UsageRun.objects.get(run_id=busy).completed_at == NOON + timedelta(hours=2)


def test_the_next_run_of_the_organization_closes_crashed_ones(acme: Organization) -> None:
    with time_machine.travel(NOON, tick=False):
        silent = begun("docs")
    with time_machine.travel(NOON + timedelta(hours=25), tick=False):
        run_of("other")
    assert UsageRun.objects.get(run_id=silent).status == "crashed"


@pytest.mark.django_db(transaction=True)
def test_runs_that_begin_at_once_are_counted_one_after_the_other_and_one_id_is_one_run() -> None:
    make_rate()
    make_organization()
    plan = capped(cost_cap=1)
    begin = threading.Barrier(4)
    problems: list[BaseException] = []

    def work() -> None:
        try:
            begin.wait()
            for index in range(3):
                for fields in ({"plan": plan}, {"run_id": f"job-{index}"}):
                    with usage_run("docs", organization="acme", **fields):
                        pass
        except BaseException as problem:
            problems.append(problem)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    runs = UsageRun.objects.order_by("run_index")
    assert [run.run_index for run in runs] == list(range(1, 16))  # 4 x 3 with ids of their own, and 3 that are shared
    assert runs.filter(run_id__startswith="job-").count() == 3
    assert set(runs.values_list("status", flat=True)) == {"completed"}


@pytest.mark.django_db(transaction=True)
def test_a_coroutine_s_run_is_its_own_among_others() -> None:
    make_rate()
    make_organization()

    async def one(name: str) -> tuple[str, str]:
        async with usage_run(name, organization="acme") as run, run.workflow("draft"):
            await asyncio.sleep(0.01)
            return run.run_id, current_attribution().run

    async def both() -> list[tuple[str, str]]:
        return await asyncio.gather(one("a"), one("b"))

    for own, seen in async_to_sync(both)():
        assert own == seen
    assert set(UsageRun.objects.values_list("name", "status")) == {("a", "completed"), ("b", "completed")}
    assert set(RunWorkflow.objects.values_list("workflow_id", "status")) == {("draft", "completed")}


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({}, InvalidUsage),
        ({"name": "x" * 201}, InvalidUsage),
        ({"name": "docs", "plan": 7}, InvalidUsage),
        ({"name": "docs", "enforce": "yes"}, InvalidUsage),
        ({"name": "docs", "run_id": "x" * 201}, InvalidUsage),
        ({"name": "docs", "run_id": "a\u2003b"}, InvalidUsage),
        ({"name": "docs", "run": "x"}, TypeError),
        ({"name": "docs", "colour": "red"}, TypeError),
    ],
)
def test_wrong_arguments_are_refused_at_once(arguments: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        usage_run(**arguments)


def test_a_scope_that_is_open_is_not_entered_again(acme: Organization) -> None:
    scope = usage_run("docs", organization="acme")
    with scope, pytest.raises(RuntimeError, match="open already"):
        scope.__enter__()
    with scope:
        pass
    assert UsageRun.objects.filter(status="completed").count() == 2


def bare(acme: Organization, **fields: Any) -> UsageRun:
    values: dict[str, Any] = {"run_id": "r", "name": "docs", "run_index": 1, "started_at": NOON}
    return UsageRun(organization=acme, **{**values, **fields})


@pytest.mark.parametrize(
    "make",
    [
        lambda acme: bare(acme, run_id=""),
        lambda acme: bare(acme, name=""),
        lambda acme: bare(acme, run_index=0),
        lambda acme: bare(acme, status="lost", completed_at=NOON),
        lambda acme: bare(acme, status="running", completed_at=NOON),
        lambda acme: bare(acme, status="failed"),
        lambda acme: bare(acme, status="failed", completed_at=NOON - timedelta(seconds=1)),
        lambda acme: bare(acme, cost_cap=Decimal(-1)),
        lambda acme: bare(acme, run_id="first"),
        lambda acme: bare(acme, run_index=7),
        lambda acme: RunWorkflow(run=acme.usage_runs.get(), workflow_id="draft"),
        lambda acme: RunWorkflow(run=acme.usage_runs.get(), workflow_id=""),
        lambda acme: RunWorkflow(run=acme.usage_runs.get(), workflow_id="x", status="lost"),
    ],
)
def test_the_database_refuses_what_no_run_can_be(acme: Organization, make: Callable[[Any], Any]) -> None:
    bare(acme, run_id="first", run_index=7).save()
    RunWorkflow(run=UsageRun.objects.get(), workflow_id="draft").save()
    with pytest.raises(IntegrityError), transaction.atomic():
        make(acme).save(force_insert=True)
