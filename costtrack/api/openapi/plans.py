"""Plans and runs: what was expected, what was used, how far it drifted."""

from __future__ import annotations

from typing import Any

from costtrack.api.openapi.budgets import LOCATION, line
from costtrack.api.openapi.columns import page, row
from costtrack.api.openapi.described import JSON, Answer, Body, Component, Link, Operation, json_answer
from costtrack.api.openapi.events import METADATA
from costtrack.api.openapi.ledger import AN_ID
from costtrack.api.openapi.parameters import parameter
from costtrack.api.openapi.values import (
    AMOUNT,
    ANY_TEXT,
    COST,
    COUNT,
    FLAG,
    INTEGER,
    TEXT,
    about,
    choice,
    list_of,
    nullable,
    record,
)
from costtrack.api.plans import PlansView, PlanView
from costtrack.api.runs import RunsView, RunVarianceView, RunView
from costtrack.domain.plans import MAX_DATA_BYTES
from costtrack.metering.plans.given import LARGEST_COUNT, MAX_WORKFLOWS
from costtrack.models import CostPlan, PlannedWorkflow, RunStatus
from costtrack.reporting.run_figures import CostStatus
from costtrack.reporting.run_shapes import PLAN_COLUMNS, RUN_COLUMNS, WORKFLOW_COLUMNS

DATA = {"type": "object"}
PLAN = row("CostPlan", PLAN_COLUMNS, data={"selection": DATA, "filters": DATA})
PLANNED_WORKFLOW = row("PlannedWorkflow", WORKFLOW_COLUMNS)
PLAN_DETAIL = Component("CostPlanDetail", record({**PLAN.part["properties"], "workflows": list_of(PLANNED_WORKFLOW)}))
RUN = row("UsageRun", RUN_COLUMNS)
RATIO = about(COST, "The actual figure by the estimate, to 4 places; null where there is no estimate, or one of 0.")
COUNTS = Component(
    "ComparedCounts",
    record(
        {"estimated": nullable(COUNT), "actual": INTEGER, "delta": nullable(INTEGER), "ratio": RATIO},
        description="An estimate, and what came of it. Without an estimate nothing is compared.",
    ),
)
COSTS = Component(
    "ComparedCosts",
    record(
        {
            "estimated": COST,
            "actual_known": about(COST, "What providers reported."),
            "actual_estimated_from_rates": about(COST, "null: the rates were asked for no call."),
            "actual_total": COST,
            "delta": COST,
            "ratio": RATIO,
        },
        description="US dollars, to 6 places. Calls without a price are in none of it.",
    ),
)
UNKNOWN_CALLS = about(INTEGER, "Calls without a price; no sum has them.")
BUCKET = Component(
    "RunBucket",
    record(
        {
            **dict.fromkeys(("workflow", "stage", "provider", "model"), TEXT),
            **dict.fromkeys(("calls", "prompt_tokens", "completion_tokens", "total_tokens"), INTEGER),
            "cost_usd_known": about(COST, "What providers reported."),
            "cost_usd_estimated": about(COST, "null: the rates were asked for no call."),
            "cost_status": choice("RunBucketCostStatus", tuple(CostStatus)),
            "cost_estimated_for_calls": INTEGER,
            "cost_unknown_for_calls": UNKNOWN_CALLS,
        }
    ),
)
RUN_WORKFLOW = Component(
    "RunWorkflow",
    record(
        {
            "run_id": TEXT,
            "workflow_id": TEXT,
            "status": choice("RunWorkflowStatus", tuple(RunStatus.values)),
            "stage_count": COUNT,
        }
    ),
)
OF_THE_PLAN = {"plan_id": about(nullable(TEXT), "null: it has no plan."), "snapshot_resolved": FLAG}
EXCEEDS = about(nullable(FLAG), "null: there is no telling.")
BUDGET_SUMMARY = Component(
    "RunBudgetSummary",
    record(
        {
            **OF_THE_PLAN,
            "max_calls": about(nullable(COUNT), "null: there is no cap."),
            "cost_cap": about(COST, "null: there is no cap."),
            **dict.fromkeys(("plan_exceeds_max_calls", "plan_exceeds_cost_cap"), EXCEEDS),
            **dict.fromkeys(("run_exceeds_max_calls", "run_exceeds_cost_cap"), EXCEEDS),
            "calls": COUNTS,
            "cost_usd": COSTS,
            "line": about(TEXT, "All of it for people, as reports have it."),
        }
    ),
)
RUN_DETAIL = Component(
    "UsageRunDetail",
    record(
        {
            **RUN.part["properties"],
            "workflows": list_of(RUN_WORKFLOW),
            "buckets": list_of(BUCKET),
            "budget_summary": BUDGET_SUMMARY,
        }
    ),
)
WORKFLOW_VARIANCE = record(
    {
        "workflow_id": TEXT,
        "calls": COUNTS,
        "prompt_tokens_actual": INTEGER,
        "prompt_words_estimate": nullable(COUNT),
    }
)
VARIANCE = Component(
    "RunVariance",
    record(
        {
            "run_id": TEXT,
            "run_index": INTEGER,
            **OF_THE_PLAN,
            **dict.fromkeys(("calls", "prompt_tokens", "total_tokens"), COUNTS),
            "cost_usd": COSTS,
            "cost_unknown_for_calls": UNKNOWN_CALLS,
            "per_workflow": list_of(WORKFLOW_VARIANCE),
        }
    ),
)

ESTIMATE = {"type": ["integer", "null"], "minimum": 0, "maximum": LARGEST_COUNT}
GIVEN_DATA = about(METADATA, f"At most 8 levels, and {MAX_DATA_BYTES:,} bytes.")


def text_of(model: Any, name: str) -> dict[str, Any]:
    """A text that fits the column, or null."""
    return {**line(model, name), **ANY_TEXT}


def named(model: Any, name: str) -> dict[str, Any]:
    """A text that fits the column, and says something: blanks around it and control characters are not kept."""
    return {**line(model, name), "minLength": 1, "pattern": ANY_TEXT["pattern"]}


WORKFLOW_FIELDS: dict[str, Any] = {
    "workflow_id": named(PlannedWorkflow, "workflow_id"),
    "estimated_calls": ESTIMATE,
    "estimated_prompt_tokens": ESTIMATE,
    "prompt_words_estimate": ESTIMATE,
    "estimated_completion_tokens": ESTIMATE,
    "estimated_cost_usd": AMOUNT,
    "provider": text_of(PlannedWorkflow, "provider"),
    "model": text_of(PlannedWorkflow, "model"),
}
NEW_WORKFLOW = Component(
    "NewPlannedWorkflow",
    record(
        WORKFLOW_FIELDS,
        optional=[name for name in WORKFLOW_FIELDS if name != "workflow_id"],
        description="Of all its calls together. Each workflow once.",
    ),
)
PLAN_FIELDS: dict[str, Any] = {
    "name": named(CostPlan, "name"),
    "organization": about({**ANY_TEXT, "maxLength": 100}, "Its slug; needed where there are several."),
    "project": about({**ANY_TEXT, "maxLength": 100}, "Its slug; none: none."),
    "stage": text_of(CostPlan, "stage"),
    "selected_count": ESTIMATE,
    "selection": about(GIVEN_DATA, "What the plan is about, as data of your own."),
    "estimated_calls": ESTIMATE,
    "estimated_prompt_tokens": ESTIMATE,
    "estimated_total_tokens": about(ESTIMATE, "No less than the prompt tokens."),
    "estimated_cost_usd": about(AMOUNT, "Not given: worked out from the rates in force."),
    "cost_per_1k_tokens": AMOUNT,
    "max_calls": ESTIMATE,
    "cost_cap": AMOUNT,
    "filters": GIVEN_DATA,
    "provider": text_of(PlannedWorkflow, "provider"),
    "model": about(text_of(PlannedWorkflow, "model"), "Of the workflows that do not say it."),
    "workflows": {"type": ["array", "null"], "items": NEW_WORKFLOW, "maxItems": MAX_WORKFLOWS},
}
NEW_PLAN = Component("NewCostPlan", record(PLAN_FIELDS, optional=[name for name in PLAN_FIELDS if name != "name"]))
A_PLAN = {
    "name": "docs",
    "max_calls": 12,
    "cost_cap": "0.05",
    "model": "gpt-4o",
    "workflows": [
        {"workflow_id": "outline", "estimated_calls": 2, "estimated_prompt_tokens": 2000},
        {"workflow_id": "draft", "estimated_calls": 8, "prompt_words_estimate": 6000},
    ],
}
OF_PLAN = {"plan_id": parameter("plan_id", AN_ID, "The snapshot's `id`.", place="path")}
OF_RUN = {"run_id": parameter("run_id", AN_ID, "The run's `id`.", place="path")}
WHAT_NEXT = {"get_plan": Link(id="get_plan", parameters={"plan_id": "$response.body#/id"}, about="The snapshot.")}

OPERATIONS = (
    Operation(
        view=PlansView,
        id="list_plans",
        tag="plans",
        answers={200: page("CostPlanPage", PLAN, "The snapshots, the newest first.")},
    ),
    Operation(
        view=PlansView,
        method="POST",
        id="record_plan",
        tag="plans",
        body=Body(content={JSON: NEW_PLAN}, examples={"two workflows": A_PLAN}),
        answers={
            201: Answer(
                about="The newest snapshot of its name.",
                content={JSON: PLAN_DETAIL},
                headers={"Location": LOCATION},
                links=WHAT_NEXT,
            )
        },
    ),
    Operation(
        view=PlanView,
        id="get_plan",
        tag="plans",
        path=OF_PLAN,
        answers={200: json_answer("The snapshot.", PLAN_DETAIL)},
    ),
    Operation(
        view=RunsView,
        id="list_runs",
        tag="plans",
        answers={200: page("UsageRunPage", RUN, "The runs, the newest first.")},
    ),
    Operation(view=RunView, id="get_run", tag="plans", path=OF_RUN, answers={200: json_answer("The run.", RUN_DETAIL)}),
    Operation(
        view=RunVarianceView,
        id="get_run_variance",
        tag="plans",
        path=OF_RUN,
        answers={200: json_answer("Its variance.", VARIANCE)},
    ),
)
