"""A plan of two workflows, a run of it, and how far the run drifted: every figure worked out by hand beside it."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine

import costtrack
from costtrack.domain.periods import ZoneHistory
from costtrack.models import CostPlan, UsageRun
from costtrack.reporting.plan_line import plan_variance_lines
from costtrack.reporting.run_figures import buckets_of
from costtrack.reporting.run_shapes import plan_shape, run_shape, variance_shape
from tests.factories import make_organization, make_rate

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ZONE = ZoneHistory.of("UTC")


def record_docs(**changes: Any) -> CostPlan:
    """A plan: outline 2 calls and draft 10, of one model at 3 and 15 USD per million."""
    plan: dict[str, Any] = {
        "name": "docs",
        "stage": "all",
        "selected_count": 3,
        "selection": {"ids": [7, 8, 9], "chapters": ["Intro", "Usage"]},
        "filters": {"language": "en"},
        "max_calls": 12,
        "cost_cap": "0.05",
        "model": "test-model",
        "provider": "openai",
        "workflows": [
            {
                "workflow_id": "outline",
                "estimated_calls": 2,
                "estimated_prompt_tokens": 2_000,
                "estimated_completion_tokens": 200,
            },
            {
                "workflow_id": "draft",
                "estimated_calls": 8,
                "prompt_words_estimate": 6_000,
                "estimated_completion_tokens": 1_600,
            },
            {"workflow_id": "review", "estimated_calls": 0, "estimated_prompt_tokens": 0, "estimated_cost_usd": 0}
            | {"estimated_completion_tokens": 0},
        ],
    }
    return costtrack.record_plan(**{**plan, **changes})


def use(input_tokens: int, output_tokens: int, *, model: str = "test-model", **fields: Any) -> None:
    costtrack.record_usage(
        model=model, provider="openai", input_tokens=input_tokens, output_tokens=output_tokens, **fields
    )


def run_docs(plan: CostPlan | str | None) -> UsageRun:
    """outline: 2 calls by the rates, 1 reported. draft: 2 by the rates, 1 of an unknown price. notes: nothing."""
    with costtrack.usage_run("docs", plan=plan) as run:
        with run.workflow("outline") as outline, outline.stage("list"):
            use(1_000, 100)  # 1,000 x 3 + 100 x 15 = 4,500 per million: 0.0045
            use(1_200, 140)  # 3,600 + 2,100 = 5,700: 0.0057
            use(500, 50, cost_usd="0.0021")
        with run.workflow("draft") as draft:
            with draft.stage("write"):
                use(4_000, 1_000)  # 12,000 + 15,000 = 27,000: 0.027
                use(3_000, 600)  # 9,000 + 9,000 = 18,000: 0.018
            with draft.stage("polish"):
                use(700, 70, model="unheard-of")
        with run.workflow("notes"):
            pass
    return UsageRun.objects.get(run_id=run.run_id)


@pytest.fixture
def plan() -> CostPlan:
    make_organization("default")
    make_rate()
    with time_machine.travel(NOON, tick=False):
        return record_docs()


def bucket(workflow: str, stage: str, model: str, *figures: Any) -> dict[str, Any]:
    names = ("calls", "prompt_tokens", "completion_tokens", "total_tokens", "cost_usd_known", "cost_usd_estimated")
    more = ("cost_status", "cost_estimated_for_calls", "cost_unknown_for_calls")
    where = {"workflow": workflow, "stage": stage, "provider": "openai", "model": model}
    return {**where, **dict(zip((*names, *more), figures, strict=True))}


def test_a_plan_of_two_workflows_is_estimated_from_the_rates(plan: CostPlan) -> None:
    # draft: 6,000 words are 8,000 tokens (100 for 75). outline: 2,000 x 3 + 200 x 15 = 9,000 per million: 0.009.
    # draft: 8,000 x 3 + 1,600 x 15 = 48,000: 0.048. 0.009 + 0.048 = 0.057, above the cap of 0.05; 10 calls of 12.
    text = (
        '{"cost_cap":"0.05","cost_per_1k_tokens":null,"estimated_calls":10,"estimated_cost_usd":"0.057",'
        '"estimated_prompt_tokens":10000,"estimated_total_tokens":11800,"filters":{"language":"en"},"max_calls":12,'
        '"selected_count":3,"selection":{"chapters":["Intro","Usage"],"ids":[7,8,9]},"stage":"all"}'
    )
    workflow = dict.fromkeys(("provider", "model"), "") | {"provider": "openai", "model": "test-model"}
    assert plan_shape(plan, zone=ZONE) == {
        "id": plan.pk,
        "organization": "default",
        "project": None,
        "name": "docs",
        "sequence": 1,
        "plan_id": hashlib.sha256(text.encode()).hexdigest()[:12],
        "stage": "all",
        "selected_count": 3,
        "selection": {"ids": [7, 8, 9], "chapters": ["Intro", "Usage"]},
        "estimated_calls": 10,
        "estimated_prompt_tokens": 10_000,
        "estimated_total_tokens": 11_800,
        "estimated_cost_usd": "0.057",
        "cost_basis": "rates",
        "cost_per_1k_tokens": None,
        "max_calls": 12,
        "cost_cap": "0.05",
        "exceeds_max_calls": False,
        "exceeds_cost_cap": True,
        "filters": {"language": "en"},
        "recorded_at": "2026-11-20T12:00:00+00:00",
        "first_recorded_at": "2026-11-20T12:00:00+00:00",
        "pruned_count": 0,
        "workflows": [
            {
                "workflow_id": "outline",
                "estimated_calls": 2,
                "estimated_prompt_tokens": 2_000,
                "prompt_words_estimate": None,
                "estimated_completion_tokens": 200,
                "estimated_cost_usd": "0.009",
                **workflow,
            },
            {
                "workflow_id": "draft",
                "estimated_calls": 8,
                "estimated_prompt_tokens": 8_000,
                "prompt_words_estimate": 6_000,
                "estimated_completion_tokens": 1_600,
                "estimated_cost_usd": "0.048",
                **workflow,
            },
            {
                "workflow_id": "review",
                "estimated_calls": 0,
                "estimated_prompt_tokens": 0,
                "prompt_words_estimate": None,
                "estimated_completion_tokens": 0,
                "estimated_cost_usd": "0",
                **workflow,
            },
        ],
    }


def test_a_run_with_reported_estimated_and_unknown_costs(plan: CostPlan) -> None:
    with time_machine.travel(NOON, tick=False):
        run = run_docs(plan)
    UsageRun.objects.filter(pk=run.pk).update(completed_at=NOON + timedelta(seconds=90))
    run.refresh_from_db()
    variance = costtrack.run_variance(run)
    shape = run_shape(variance, buckets_of([run])[run.pk], zone=ZONE)
    assert shape == {
        "id": run.pk,
        "organization": "default",
        "project": None,
        "run_id": run.run_id,
        "name": "docs",
        "run_index": 1,
        "status": "completed",
        "error_type": "",
        "plan_id": plan.plan_id,
        "max_calls": 12,
        "cost_cap": "0.05",
        "is_enforced": False,
        "started_at": "2026-11-20T12:00:00+00:00",
        "completed_at": "2026-11-20T12:01:30+00:00",
        "duration_seconds": "90",
        # 1,000 + 1,200 + 500 + 4,000 + 3,000 + 700 and 100 + 140 + 50 + 1,000 + 600 + 70
        "total_calls": 6,
        "total_prompt_tokens": 10_400,
        "total_completion_tokens": 1_960,
        "total_tokens": 12_360,
        "total_cost_usd_known": "0.0021",
        "total_cost_usd_estimated": "0.0552",  # 0.0045 + 0.0057 + 0.027 + 0.018
        "total_cost_unknown_for_calls": 1,
        "workflows": [
            {"run_id": run.run_id, "workflow_id": "outline", "status": "completed", "stage_count": 1},
            {"run_id": run.run_id, "workflow_id": "draft", "status": "completed", "stage_count": 2},
            {"run_id": run.run_id, "workflow_id": "notes", "status": "completed", "stage_count": 0},
        ],
        "buckets": [
            bucket("draft", "polish", "unheard-of", 1, 700, 70, 770, "0", None, "unknown", 0, 1),
            bucket("draft", "write", "test-model", 2, 7_000, 1_600, 8_600, "0", "0.045", "estimated", 2, 0),
            bucket("outline", "list", "test-model", 3, 2_700, 290, 2_990, "0.0021", "0.0102", "estimated", 2, 0),
        ],
        "budget_summary": {
            "plan_id": plan.plan_id,
            "snapshot_resolved": True,
            "max_calls": 12,
            "cost_cap": "0.05",
            "plan_exceeds_max_calls": False,
            "plan_exceeds_cost_cap": True,
            "run_exceeds_max_calls": False,
            "run_exceeds_cost_cap": True,
            "calls": {"estimated": 10, "actual": 6, "delta": -4, "ratio": "0.6"},
            "cost_usd": {
                "estimated": "0.057",
                "actual_known": "0.0021",
                "actual_estimated_from_rates": "0.0552",
                "actual_total": "0.0573",
                "delta": "0.0003",
                "ratio": "1.0053",  # 0.0573 / 0.057 = 1.00526...
            },
            "line": "Plan variance: docs #1: $0.057300 of $0.057000 planned (+$0.000300, ratio 1.0053), "
            "6 of 10 calls (1 without a price).",
        },
    }


def test_the_variance_of_a_run_against_its_plan(plan: CostPlan) -> None:
    run = run_docs(plan)
    assert variance_shape(costtrack.run_variance(run)) == {
        "run_id": run.run_id,
        "run_index": 1,
        "plan_id": plan.plan_id,
        "snapshot_resolved": True,
        "calls": {"estimated": 10, "actual": 6, "delta": -4, "ratio": "0.6"},
        "prompt_tokens": {"estimated": 10_000, "actual": 10_400, "delta": 400, "ratio": "1.04"},
        "total_tokens": {"estimated": 11_800, "actual": 12_360, "delta": 560, "ratio": "1.0475"},  # 1.04746
        "cost_usd": {
            "estimated": "0.057",
            "actual_known": "0.0021",
            "actual_estimated_from_rates": "0.0552",
            "actual_total": "0.0573",
            "delta": "0.0003",
            "ratio": "1.0053",
        },
        "cost_unknown_for_calls": 1,
        "per_workflow": [
            {
                "workflow_id": "outline",
                "calls": {"estimated": 2, "actual": 3, "delta": 1, "ratio": "1.5"},
                "prompt_tokens_actual": 2_700,
                "prompt_words_estimate": None,
            },
            {
                "workflow_id": "draft",
                "calls": {"estimated": 8, "actual": 3, "delta": -5, "ratio": "0.375"},
                "prompt_tokens_actual": 7_700,
                "prompt_words_estimate": 6_000,
            },
            {  # in the plan alone, where 0 is estimated: there is no ratio to 0
                "workflow_id": "review",
                "calls": {"estimated": 0, "actual": 0, "delta": 0, "ratio": None},
                "prompt_tokens_actual": 0,
                "prompt_words_estimate": None,
            },
            {  # in the run alone
                "workflow_id": "notes",
                "calls": {"estimated": None, "actual": 0, "delta": None, "ratio": None},
                "prompt_tokens_actual": 0,
                "prompt_words_estimate": None,
            },
        ],
    }


def test_of_a_pruned_plan_the_run_has_a_row_without_estimates(plan: CostPlan) -> None:
    run = run_docs(plan)
    newer = record_docs(max_calls=20, retention=1)
    assert (newer.sequence, newer.pruned_count) == (2, 1)
    assert list(CostPlan.objects.all()) == [newer]
    shape = variance_shape(costtrack.run_variance(UsageRun.objects.get()))
    nothing = {"estimated": None, "delta": None, "ratio": None}
    costs = {"actual_known": "0.0021", "actual_estimated_from_rates": "0.0552", "actual_total": "0.0573"}
    assert (shape["plan_id"], shape["snapshot_resolved"]) == (plan.plan_id, False)
    assert shape["calls"] == {**nothing, "actual": 6}
    assert shape["prompt_tokens"] == {**nothing, "actual": 10_400}
    assert shape["total_tokens"] == {**nothing, "actual": 12_360}
    assert shape["cost_usd"] == {**nothing, **costs}
    assert [one["workflow_id"] for one in shape["per_workflow"]] == ["outline", "draft", "notes"]
    assert plan_variance_lines(None, run.started_at, run.started_at + timedelta(seconds=1)) == [
        f"Plan variance: docs #1: plan {plan.plan_id} is not kept; $0.057300, 6 calls (1 without a price)."
    ]


def test_a_run_with_no_calls_still_makes_a_row(plan: CostPlan) -> None:
    with costtrack.usage_run(plan="docs") as run:
        pass
    row = UsageRun.objects.get(run_id=run.run_id)
    variance = costtrack.run_variance(row)
    shape = run_shape(variance, buckets_of([row])[row.pk], zone=ZONE)
    totals = {name: value for name, value in shape.items() if name.startswith("total_")}
    assert totals == {
        "total_calls": 0,
        "total_prompt_tokens": 0,
        "total_completion_tokens": 0,
        "total_tokens": 0,
        "total_cost_usd_known": "0",
        "total_cost_usd_estimated": None,
        "total_cost_unknown_for_calls": 0,
    }
    assert (shape["name"], shape["status"], shape["buckets"], shape["workflows"]) == ("docs", "completed", [], [])
    assert variance.cost_usd.actual_total == Decimal(0)
    assert variance_shape(variance)["cost_usd"]["delta"] == "-0.057"
