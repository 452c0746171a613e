"""Recording plans: fingerprints, snapshots that are not stored twice, retention, and estimates from the rates."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction

from costtrack import InvalidPlan, InvalidUsage, UnknownOrganization, attribute, record_plan
from costtrack.models import CostPlan, Organization, PlannedWorkflow
from tests.factories import NOON, make_organization, make_rate

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme(db: None) -> Organization:
    make_rate()
    return make_organization()


def record(**fields: Any) -> CostPlan:
    return record_plan(**{"name": "docs", "organization": "acme", **fields})


def test_the_id_is_worked_out_from_the_figures_the_selection_and_the_filters(acme: Organization) -> None:
    first = record(estimated_calls=3, selection={"ids": [1, 2]}, filters={"lang": "en"})
    changes: list[dict[str, Any]] = [
        {"estimated_calls": 4},
        {"selection": {"ids": [2, 1]}},
        {"filters": {}},
        {"stage": "draft"},
        {"selected_count": 2},
        {"estimated_prompt_tokens": 5},
        {"estimated_total_tokens": 5},
        {"estimated_cost_usd": "0.1"},
        {"cost_per_1k_tokens": "0.1"},
        {"max_calls": 9},
        {"cost_cap": 1},
    ]
    same: dict[str, Any] = {"estimated_calls": 3, "selection": {"ids": [1, 2]}, "filters": {"lang": "en"}}
    others = {record(**{**same, **change}).plan_id for change in changes}
    assert len(others | {first.plan_id}) == 12


def test_neither_the_name_nor_the_workflows_nor_the_time_are_in_the_id(acme: Organization) -> None:
    given: dict[str, Any] = {"estimated_calls": 3, "estimated_prompt_tokens": 9, "estimated_cost_usd": 1}
    one = record(**given, workflows=[{"workflow_id": "a", "estimated_calls": 3}])
    with time_machine.travel(NOON + timedelta(days=400)):
        other = record(**given, name="other", workflows=[{"workflow_id": "b"}])
    assert one.plan_id == other.plan_id
    assert (one.pk, one.name) != (other.pk, other.name)


def test_numbers_that_are_equal_are_one_plan_however_they_are_written(acme: Organization) -> None:
    ids = {record(cost_cap=cap).plan_id for cap in ("0.50", "0.5", Decimal("0.500"), 0.5)}
    assert len(ids) == 1
    assert CostPlan.objects.count() == 1


def test_the_same_plan_at_the_head_is_refreshed_and_not_stored_twice(acme: Organization) -> None:
    with time_machine.travel(NOON, tick=False):
        first = record(estimated_calls=3, workflows=[{"workflow_id": "a"}])
    with time_machine.travel(NOON + timedelta(hours=1), tick=False):
        again = record(estimated_calls=3, workflows=[{"workflow_id": "a"}])
    assert again.pk == first.pk
    kept = CostPlan.objects.get()
    assert (kept.first_recorded_at, kept.recorded_at) == (NOON, NOON + timedelta(hours=1))
    assert PlannedWorkflow.objects.count() == 1


def test_the_same_figures_with_other_workflows_are_the_same_plan_with_the_workflows_that_it_had(
    acme: Organization,
) -> None:
    # The list is not in the fingerprint: runs have been compared with it, and a snapshot is never edited.
    figures: dict[str, Any] = {"estimated_calls": 3, "estimated_prompt_tokens": 9, "estimated_cost_usd": 1}
    with time_machine.travel(NOON, tick=False):
        first = record(**figures, workflows=[{"workflow_id": "draft", "estimated_calls": 3}])
    with time_machine.travel(NOON + timedelta(hours=1), tick=False):
        again = record(**figures, workflows=[{"workflow_id": "write", "estimated_calls": 2}])
    assert (again.pk, again.plan_id, again.recorded_at) == (first.pk, first.plan_id, NOON + timedelta(hours=1))
    assert [(one.workflow_id, one.estimated_calls) for one in PlannedWorkflow.objects.all()] == [("draft", 3)]
    other = record(**figures, selection={"version": 2}, workflows=[{"workflow_id": "write", "estimated_calls": 2}])
    assert [one.workflow_id for one in other.workflows.all()] == ["write"]


def test_a_plan_that_comes_back_after_another_is_a_new_snapshot(acme: Organization) -> None:
    sequence = [(record(estimated_calls=calls).sequence) for calls in (3, 4, 3, 3)]
    assert sequence == [1, 2, 3, 3]
    assert CostPlan.objects.count() == 3


def test_the_newest_fifty_of_a_name_in_its_project_are_kept(acme: Organization) -> None:
    other = record(name="other")
    elsewhere = record(project="website")
    for calls in range(53):
        newest = record(estimated_calls=calls)
    assert newest.pruned_count == 3
    kept = CostPlan.objects.filter(name="docs", project=None).order_by("sequence")
    assert [plan.sequence for plan in kept] == list(range(4, 54))
    assert [plan.estimated_calls for plan in kept] == list(range(3, 53))
    assert set(CostPlan.objects.exclude(pk__in=kept)) == {other, elsewhere}
    assert record(estimated_calls=52, retention=2).pruned_count == 51
    assert [plan.sequence for plan in kept.all()] == [52, 53]


@pytest.mark.django_db(transaction=True)
def test_plans_that_are_recorded_at_once_are_snapshots_one_after_the_other() -> None:
    make_rate()
    make_organization()
    begin = threading.Barrier(4)
    problems: list[BaseException] = []

    def work(number: int) -> None:
        try:
            begin.wait()
            for calls in range(5):
                record(estimated_calls=10 * number + calls)
        except BaseException as problem:
            problems.append(problem)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert sorted(CostPlan.objects.values_list("sequence", flat=True)) == list(range(1, 21))


def test_a_cost_is_worked_out_per_call_so_that_long_context_prices_hold(acme: Organization) -> None:
    rate = make_rate("long", per_million=("3", "15"))
    rate.tiers.create(above_input_tokens=1_000, input_usd_per_million=6, output_usd_per_million=30)
    spread = {"workflow_id": "a", "estimated_prompt_tokens": 3_001, "estimated_completion_tokens": 3}
    # 3 calls: one of 1,001 tokens, dear (1,001 x 6 + 1 x 30 = 6,036), two of 1,000 (2 x (3,000 + 15) = 6,030)
    plan = record(model="long", provider="openai", workflows=[{**spread, "estimated_calls": 3}])
    assert plan.estimated_cost_usd == Decimal("0.012066")
    assert plan.cost_basis == "rates"


@pytest.mark.parametrize(
    ("fields", "cost", "basis"),
    [
        ({}, None, "unknown"),
        ({"estimated_cost_usd": "0.25", "model": "test-model"}, "0.25", "given"),
        ({"model": "test-model", "estimated_prompt_tokens": 1_000, "estimated_total_tokens": 1_100}, "0.0045", "rates"),
        ({"model": "unheard-of", "estimated_prompt_tokens": 1_000, "estimated_total_tokens": 1_100}, None, "unknown"),
        ({"cost_per_1k_tokens": "0.02", "estimated_prompt_tokens": 1_500}, "0.03", "given"),
        ({"cost_per_1k_tokens": "0.02", "estimated_total_tokens": 2_500}, "0.05", "given"),
        ({"workflows": [{"workflow_id": "a", "estimated_cost_usd": "0.1"}]}, "0.1", "given"),
        ({"workflows": [{"workflow_id": "a", "estimated_cost_usd": "0.1"}, {"workflow_id": "b"}]}, None, "unknown"),
    ],
)
def test_where_the_estimated_cost_comes_from(
    acme: Organization, fields: dict[str, Any], cost: str | None, basis: str
) -> None:
    plan = record(**fields)
    assert (plan.estimated_cost_usd, plan.cost_basis) == (None if cost is None else Decimal(cost), basis)


def test_an_organization_s_own_rates_come_first(acme: Organization) -> None:
    make_rate(per_million=("1", "1"), organization=acme)
    plan = record(model="test-model", provider="openai", estimated_prompt_tokens=1_000, estimated_total_tokens=2_000)
    assert plan.estimated_cost_usd == Decimal("0.002")


def test_a_plan_says_whether_it_exceeds_its_caps(acme: Organization) -> None:
    tight = record(estimated_calls=10, max_calls=9, estimated_cost_usd="0.5", cost_cap="0.5")
    assert (tight.exceeds_max_calls, tight.exceeds_cost_cap) == (True, False)
    silent = record(max_calls=9, estimated_cost_usd="0.5")
    assert (silent.exceeds_max_calls, silent.exceeds_cost_cap) == (None, None)


def test_it_is_of_the_organization_and_project_of_its_context(acme: Organization) -> None:
    with attribute(organization="acme", project="website"):
        plan = record_plan("docs")
    assert plan.organization == acme
    assert plan.project is not None
    assert plan.project.slug == "website"
    with pytest.raises(UnknownOrganization):
        record_plan("docs", organization="nowhere")


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "name"),
    ({"name": True}, "name"),
    ({"name": "x" * 201}, "name"),
    ({"name": "a\x00b"}, "name"),
    ({"name": 2**64}, "name"),
    ({"name": 10**5000}, "name"),
    ({"stage": 2.0**53}, "stage"),
    ({"stage": -(2.0**63)}, "stage"),
    ({"workflows": [{"workflow_id": "a", "model": "\x00"}]}, "workflows[0].model"),
    ({"estimated_calls": -1}, "estimated_calls"),
    ({"estimated_calls": 1.5}, "estimated_calls"),
    ({"estimated_calls": "many"}, "estimated_calls"),
    ({"estimated_calls": 10**15}, "estimated_calls"),
    ({"max_calls": True}, "max_calls"),
    ({"cost_cap": "NaN"}, "cost_cap"),
    ({"cost_cap": -1}, "cost_cap"),
    ({"cost_cap": 10**12}, "cost_cap"),
    ({"selection": [1, 2]}, "selection"),
    ({"selection": {"cost": Decimal(1)}}, "selection"),
    ({"selection": {"x": float("inf")}}, "selection"),
    ({"selection": {"x": "a\x00b"}}, "selection"),
    ({"selection": {1: 2}}, "selection"),
    ({"filters": {"x": [[[[[[[[[1]]]]]]]]]}}, "filters"),
    ({"filters": {"x": "y" * 300_000}}, "filters"),
    ({"estimated_prompt_tokens": 10, "estimated_total_tokens": 9}, "estimated_total_tokens"),
    ({"cost_per_1k_tokens": 10**11, "estimated_prompt_tokens": 10**9}, "estimated_cost_usd"),
    ({"workflows": [{"estimated_calls": 1}]}, "workflows[0].workflow_id"),
    ({"workflows": [{"workflow_id": "a"}, {"workflow_id": "a"}]}, "workflows[1].workflow_id"),
    ({"workflows": [{"workflow_id": "a", "prompt_words": 1}]}, "workflows[0].prompt_words"),
    ({"workflows": ["a"]}, "workflows[0]"),
    ({"retention": 0}, "retention"),
    ({"retention": True}, "retention"),
]


@pytest.mark.parametrize(("given", "kept"), [(7, "7"), (7.0, "7"), (2**64 - 1, "18446744073709551615")])
def test_a_whole_number_is_a_text_too(acme: Organization, given: Any, kept: str) -> None:
    record(name=given, workflows=[{"workflow_id": given, "model": given}])
    plan = CostPlan.objects.get()
    workflow = plan.workflows.get()
    assert (plan.name, workflow.workflow_id, workflow.model) == (kept, kept, kept)


@pytest.mark.parametrize(("fields", "field"), WRONG)
def test_what_is_wrong_is_named_and_nothing_is_stored(acme: Organization, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidUsage) as raised:
        record(**fields)
    assert raised.value.field == field
    assert not CostPlan.objects.exists()


def test_all_that_is_wrong_is_named_at_once(acme: Organization) -> None:
    with pytest.raises(InvalidPlan) as raised:
        record(
            name="",
            max_calls=-1,
            cost_cap="much",
            estimated_prompt_tokens=10,
            estimated_total_tokens=9,
            workflows=[
                {"workflow_id": "a", "calls": 1, "model": 1.5},
                "b",
                {},
                {"workflow_id": "a"},
                {"workflow_id": 1.5},
            ],
        )
    assert [one.field for one in raised.value.problems] == [
        "max_calls",
        "cost_cap",
        "workflows[0].calls",
        "workflows[0].model",
        "workflows[1]",
        "workflows[2].workflow_id",
        "workflows[3].workflow_id",
        "workflows[4].workflow_id",
        "name",
        "estimated_total_tokens",
    ]
    assert raised.value.field == "max_calls"
    told = "max_calls: got -1, expected a whole number from 0 to 999,999,999,999,999. cost_cap: got 'much', expected"
    assert str(raised.value).startswith(told)


def test_of_very_much_that_is_wrong_the_first_twenty_are_told(acme: Organization) -> None:
    with pytest.raises(InvalidPlan, match=r"workflows\[19\]: .* And 5 more\.$") as raised:
        record(workflows=["a"] * 25)
    assert len(raised.value.problems) == 25
    assert "workflows[20]" not in str(raised.value)


def test_a_mistyped_field_of_a_workflow_is_told_of(acme: Organization) -> None:
    with pytest.raises(InvalidUsage, match=r"no such field \(did you mean prompt_words_estimate\?\)"):
        record(workflows=[{"workflow_id": "a", "prompt_words": 1}])


def bare(organization: Organization, **fields: Any) -> CostPlan:
    values: dict[str, Any] = {"name": "docs", "sequence": 1, "plan_id": "0" * 12, "cost_basis": "unknown"}
    return CostPlan(organization=organization, recorded_at=NOON, first_recorded_at=NOON, **{**values, **fields})


@pytest.mark.parametrize(
    "make",
    [
        lambda acme: bare(acme, name=""),
        lambda acme: bare(acme, sequence=0),
        lambda acme: bare(acme, plan_id=""),
        lambda acme: bare(acme, estimated_calls=-1),
        lambda acme: bare(acme, cost_cap=Decimal(-1)),
        lambda acme: bare(acme, cost_basis="given"),
        lambda acme: bare(acme, estimated_cost_usd=Decimal(1)),
        lambda acme: bare(acme, sequence=7),
        lambda acme: bare(acme, sequence=7, project=acme.projects.get()),
        lambda acme: PlannedWorkflow(plan=acme.cost_plans.first(), workflow_id=""),
        lambda acme: PlannedWorkflow(plan=acme.cost_plans.first(), workflow_id="draft"),
        lambda acme: PlannedWorkflow(plan=acme.cost_plans.first(), workflow_id="x", estimated_calls=-1),
    ],
)
def test_the_database_refuses_what_no_plan_can_be(acme: Organization, make: Callable[[Any], Any]) -> None:
    project = acme.projects.create(slug="website")
    for owner in (None, project):
        bare(acme, sequence=7, project=owner).save()
    PlannedWorkflow(plan=CostPlan.objects.order_by("id").first(), workflow_id="draft").save()
    first = acme.cost_plans.order_by("id").first()
    row = make(acme)
    if isinstance(row, PlannedWorkflow):
        row.plan = first
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save(force_insert=True)
