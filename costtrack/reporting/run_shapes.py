"""Plans, runs and their variance as JSON: amounts are exact decimal strings, what is not known is null."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

from costtrack.domain.money import decimal_text
from costtrack.domain.periods import ZoneHistory
from costtrack.domain.plans import exceeds
from costtrack.domain.variance import Compared
from costtrack.models import CostPlan, PlannedWorkflow, RunStatus, UsageRun
from costtrack.reporting.columns import Column, Kind, column_shape
from costtrack.reporting.plan_line import plan_variance_line
from costtrack.reporting.run_figures import RunBucket, RunFigures
from costtrack.reporting.shapes import cost_text
from costtrack.reporting.variance import CostVariance, RunVariance


class RunLine(NamedTuple):
    """A run with what it used."""

    run: UsageRun
    figures: RunFigures


def _estimate(name: str, about: str = "") -> Column:
    return Column(name, Kind.INTEGER, lambda row: getattr(row, name), is_nullable=True, about=about)


def _usd(name: str, about: str) -> Column:
    return Column(name, Kind.DECIMAL, lambda row: getattr(row, name), is_nullable=True, about=about)


def _flag(name: str, about: str) -> Column:
    return Column(name, Kind.BOOLEAN, lambda row: getattr(row, name), is_nullable=True, about=about)


PLAN_COLUMNS = (
    Column("id", Kind.INTEGER, lambda row: row.id),
    Column("organization", Kind.TEXT, lambda row: row.organization.slug),
    Column("project", Kind.TEXT, lambda row: row.project and row.project.slug, is_nullable=True, about="null: none."),
    Column("name", Kind.TEXT, lambda row: row.name),
    Column("sequence", Kind.INTEGER, lambda row: row.sequence, about="Which snapshot of its name it is, from 1."),
    Column("plan_id", Kind.TEXT, lambda row: row.plan_id, about="The fingerprint of its figures, 12 hex digits."),
    Column("stage", Kind.TEXT, lambda row: row.stage),
    _estimate("selected_count"),
    Column("selection", Kind.DATA, lambda row: row.selection),
    _estimate("estimated_calls"),
    _estimate("estimated_prompt_tokens"),
    _estimate("estimated_total_tokens"),
    _usd("estimated_cost_usd", "null: nobody knows."),
    Column("cost_basis", Kind.TEXT, lambda row: row.cost_basis, choices=tuple(CostPlan.CostBasis.values)),
    _usd("cost_per_1k_tokens", "USD."),
    _estimate("max_calls", "null: there is no cap."),
    _usd("cost_cap", "The most that a run may cost, in USD; null: there is no cap."),
    _flag("exceeds_max_calls", "Whether the plan itself needs more; null: there is no telling."),
    _flag("exceeds_cost_cap", "Whether the plan itself costs more; null: there is no telling."),
    Column("filters", Kind.DATA, lambda row: row.filters),
    Column("recorded_at", Kind.INSTANT, lambda row: row.recorded_at, about="When it was recorded last."),
    Column("first_recorded_at", Kind.INSTANT, lambda row: row.first_recorded_at),
    Column("pruned_count", Kind.INTEGER, lambda row: row.pruned_count, about="How many older snapshots were gone."),
)
WORKFLOW_COLUMNS = (
    Column("workflow_id", Kind.TEXT, lambda row: row.workflow_id),
    _estimate("estimated_calls"),
    _estimate("estimated_prompt_tokens"),
    _estimate("prompt_words_estimate"),
    _estimate("estimated_completion_tokens"),
    _usd("estimated_cost_usd", "null: nobody knows."),
    Column("provider", Kind.TEXT, lambda row: row.provider),
    Column("model", Kind.TEXT, lambda row: row.model),
)
"""Of a plan's workflow."""
RUN_COLUMNS = (
    Column("id", Kind.INTEGER, lambda row: row.run.id),
    Column("organization", Kind.TEXT, lambda row: row.run.organization.slug),
    Column(
        "project",
        Kind.TEXT,
        lambda row: row.run.project and row.run.project.slug,
        is_nullable=True,
        about="null: none.",
    ),
    Column("run_id", Kind.TEXT, lambda row: row.run.run_id, about="What its usage has as `run`."),
    Column("name", Kind.TEXT, lambda row: row.run.name),
    Column("run_index", Kind.INTEGER, lambda row: row.run.run_index, about="Which run of its name it is, from 1."),
    Column("status", Kind.TEXT, lambda row: row.run.status, choices=tuple(RunStatus.values)),
    Column("error_type", Kind.TEXT, lambda row: row.run.error_type, about="Of one that failed: the exception's class."),
    Column("plan_id", Kind.TEXT, lambda row: row.run.plan_id or None, is_nullable=True, about="null: it has no plan."),
    Column("max_calls", Kind.INTEGER, lambda row: row.run.max_calls, is_nullable=True, about="null: there is no cap."),
    Column("cost_cap", Kind.DECIMAL, lambda row: row.run.cost_cap, is_nullable=True, about="null: there is no cap."),
    Column("is_enforced", Kind.BOOLEAN, lambda row: row.run.is_enforced, about="Calls past a cap are refused."),
    Column("started_at", Kind.INSTANT, lambda row: row.run.started_at),
    Column("completed_at", Kind.INSTANT, lambda row: row.run.completed_at, is_nullable=True, about="null: it runs."),
    Column(
        "duration_seconds",
        Kind.DECIMAL,
        lambda row: row.run.duration_seconds,
        is_nullable=True,
        about="To a millisecond; null: it runs.",
    ),
    Column("total_calls", Kind.INTEGER, lambda row: row.figures.calls),
    Column("total_prompt_tokens", Kind.INTEGER, lambda row: row.figures.prompt_tokens),
    Column("total_completion_tokens", Kind.INTEGER, lambda row: row.figures.completion_tokens),
    Column("total_tokens", Kind.INTEGER, lambda row: row.figures.total_tokens),
    Column(
        "total_cost_usd_known", Kind.DECIMAL, lambda row: row.figures.cost_usd_known, about="What providers reported."
    ),
    Column(
        "total_cost_usd_estimated",
        Kind.DECIMAL,
        lambda row: row.figures.cost_usd_estimated,
        is_nullable=True,
        about="From the rate table; null: it was asked for no call.",
    ),
    Column(
        "total_cost_unknown_for_calls",
        Kind.INTEGER,
        lambda row: row.figures.cost_unknown_for_calls,
        about="Calls without a price; no sum has them.",
    ),
)
"""Of a RunLine."""


def plan_shape(plan: CostPlan, *, zone: ZoneHistory) -> dict[str, Any]:
    """A snapshot with its workflows."""
    workflows = [_workflow_shape(one, zone=zone) for one in plan.workflows.all()]
    return {**column_shape(PLAN_COLUMNS, plan, zone=zone), "workflows": workflows}


def run_shape(variance: RunVariance, buckets: tuple[RunBucket, ...], *, zone: ZoneHistory) -> dict[str, Any]:
    """A run with its workflows, its buckets, and where it stands against its budget."""
    run = variance.run
    return {
        **column_shape(RUN_COLUMNS, RunLine(run, variance.figures), zone=zone),
        "workflows": _run_workflows(run, buckets),
        "buckets": [bucket_shape(one) for one in buckets],
        "budget_summary": budget_summary(variance),
    }


def bucket_shape(bucket: RunBucket) -> dict[str, Any]:
    """The calls of one workflow, stage, provider and model."""
    figures = bucket.figures
    return {
        "workflow": bucket.workflow,
        "stage": bucket.stage,
        "provider": bucket.provider,
        "model": bucket.model,
        "calls": figures.calls,
        "prompt_tokens": figures.prompt_tokens,
        "completion_tokens": figures.completion_tokens,
        "total_tokens": figures.total_tokens,
        "cost_usd_known": decimal_text(figures.cost_usd_known),
        "cost_usd_estimated": cost_text(figures.cost_usd_estimated),
        "cost_status": figures.cost_status.value,
        "cost_estimated_for_calls": figures.cost_estimated_for_calls,
        "cost_unknown_for_calls": figures.cost_unknown_for_calls,
    }


def variance_shape(variance: RunVariance) -> dict[str, Any]:
    """A run against its plan."""
    return {
        "run_id": variance.run.run_id,
        "run_index": variance.run.run_index,
        "plan_id": variance.run.plan_id or None,
        "snapshot_resolved": variance.snapshot_resolved,
        "calls": _whole(variance.calls),
        "prompt_tokens": _whole(variance.prompt_tokens),
        "total_tokens": _whole(variance.total_tokens),
        "cost_usd": _cost_shape(variance.cost_usd),
        "cost_unknown_for_calls": variance.figures.cost_unknown_for_calls,
        "per_workflow": [
            {
                "workflow_id": one.workflow_id,
                "calls": _whole(one.calls),
                "prompt_tokens_actual": one.prompt_tokens_actual,
                "prompt_words_estimate": one.prompt_words_estimate,
            }
            for one in variance.per_workflow
        ],
    }


def budget_summary(variance: RunVariance) -> dict[str, Any]:
    """The caps of a run, whether its plan and the run itself pass them, and the line that reports have."""
    run, plan = variance.run, variance.plan
    return {
        "plan_id": run.plan_id or None,
        "snapshot_resolved": variance.snapshot_resolved,
        "max_calls": run.max_calls,
        "cost_cap": cost_text(run.cost_cap),
        "plan_exceeds_max_calls": None if plan is None else plan.exceeds_max_calls,
        "plan_exceeds_cost_cap": None if plan is None else plan.exceeds_cost_cap,
        "run_exceeds_max_calls": exceeds(variance.figures.calls, run.max_calls),
        "run_exceeds_cost_cap": exceeds(variance.figures.cost_usd_total, run.cost_cap),
        "calls": _whole(variance.calls),
        "cost_usd": _cost_shape(variance.cost_usd),
        "line": plan_variance_line(variance),
    }


def _workflow_shape(workflow: PlannedWorkflow, *, zone: ZoneHistory) -> dict[str, Any]:
    return column_shape(WORKFLOW_COLUMNS, workflow, zone=zone)


def _run_workflows(run: UsageRun, buckets: tuple[RunBucket, ...]) -> list[dict[str, Any]]:
    """Those that the run began, then those that only the ledger has, which fare as the run does."""
    stages: dict[str, set[str]] = {}
    for bucket in buckets:
        stages.setdefault(bucket.workflow, set()).update({bucket.stage} - {""})
    begun = {one.workflow_id: one for one in run.workflows.all()}
    names = dict.fromkeys([*begun, *(name for name in stages if name)])
    return [
        {
            "run_id": run.run_id,
            "workflow_id": name,
            "status": begun[name].status if name in begun else run.status,
            "stage_count": len(stages.get(name, set()).union(begun[name].stages if name in begun else ())),
        }
        for name in names
    ]


def _whole(of: Compared) -> dict[str, Any]:
    return {
        "estimated": _integer(of.estimated),
        "actual": _integer(of.actual),
        "delta": _integer(of.delta),
        "ratio": cost_text(of.ratio),
    }


def _cost_shape(cost: CostVariance) -> dict[str, str | None]:
    names = ("estimated", "actual_known", "actual_estimated_from_rates", "actual_total", "delta", "ratio")
    return {name: cost_text(getattr(cost, name)) for name in names}


def _integer(value: Decimal | None) -> int | None:
    return None if value is None else int(value)
