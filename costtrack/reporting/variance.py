"""How far runs drifted from their plans: each estimate beside what came of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import prefetch_related_objects

from costtrack.conf import settings
from costtrack.domain.variance import COST_PLACES, Compared, compared, rounded_or_none
from costtrack.models import Agent, CostPlan, Project, UsageRun
from costtrack.reporting.run_figures import RunBucket, RunFigures, added_up, buckets_of


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowVariance:
    """One workflow, of the plan, of the run, or of both; "" for calls that belong to none."""

    workflow_id: str
    calls: Compared
    prompt_tokens_actual: int
    prompt_words_estimate: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CostVariance:
    """The cost of a run beside its estimate, in USD to 6 places. Calls without a price are in none of it."""

    estimated: Decimal | None
    actual_known: Decimal | None
    actual_estimated_from_rates: Decimal | None
    actual_total: Decimal | None
    """None where not one of the calls has a price."""
    delta: Decimal | None
    ratio: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunVariance:
    """A run against its plan. Of a plan that is missing or pruned there are no estimates, so nothing is compared."""

    run: UsageRun
    plan: CostPlan | None
    figures: RunFigures
    calls: Compared
    prompt_tokens: Compared
    total_tokens: Compared
    """Against the plan's total, else against its prompt tokens."""
    cost_usd: CostVariance
    per_workflow: tuple[WorkflowVariance, ...]

    @property
    def snapshot_resolved(self) -> bool:
        """Whether the plan is there."""
        return self.plan is not None


def run_variance(run: UsageRun, *, owner: Project | Agent | None = None) -> RunVariance:
    """One run against its plan, as the ledger has it now."""
    return variances_of([run], owner=owner)[0]


def variances_of(runs: Sequence[UsageRun], *, owner: Project | Agent | None = None) -> list[RunVariance]:
    """The same of several, in their order, by as many queries as for one."""
    buckets = buckets_of(runs, owner=owner)
    plans = plans_of(runs)
    prefetch_related_objects([run for run in runs if run.pk], "workflows")
    return [_variance(run, plans.get(run.pk), buckets[run.pk]) for run in runs]


def plans_of(runs: Collection[UsageRun]) -> Mapping[int, CostPlan]:
    """The plan of each run, by the run's primary key, with its workflows; none where it is missing or pruned.

    That is the snapshot that it was begun with, else the newest one of the same id in its project: an id says all of a
    plan's figures.
    """
    wanted = {run.plan_id for run in runs if run.plan_id}
    if not wanted:
        return {}
    rows = CostPlan.objects.using(settings.database).filter(
        organization__in={run.organization_id for run in runs}, plan_id__in=wanted
    )
    kept = list(rows.order_by("recorded_at", "id").prefetch_related("workflows"))
    by_key = {plan.pk: plan for plan in kept}
    by_id = {(plan.organization_id, plan.project_id, plan.plan_id): plan for plan in kept}
    found = {
        run.pk: by_key.get(run.snapshot_id or 0) or by_id.get((run.organization_id, run.project_id, run.plan_id))
        for run in runs
    }
    return {key: plan for key, plan in found.items() if plan is not None}


def _variance(run: UsageRun, plan: CostPlan | None, buckets: Sequence[RunBucket]) -> RunVariance:
    figures = added_up(bucket.figures for bucket in buckets)
    total_estimate = None
    if plan is not None:
        total_estimate = plan.estimated_total_tokens
        total_estimate = plan.estimated_prompt_tokens if total_estimate is None else total_estimate
    return RunVariance(
        run=run,
        plan=plan,
        figures=figures,
        calls=compared(None if plan is None else plan.estimated_calls, figures.calls),
        prompt_tokens=compared(None if plan is None else plan.estimated_prompt_tokens, figures.prompt_tokens),
        total_tokens=compared(total_estimate, figures.total_tokens),
        cost_usd=_cost(plan, figures),
        per_workflow=tuple(_workflows(run, plan, buckets)),
    )


def _cost(plan: CostPlan | None, figures: RunFigures) -> CostVariance:
    estimate = None if plan is None else plan.estimated_cost_usd
    whole = compared(estimate, figures.cost_usd_total, places=COST_PLACES)
    return CostVariance(
        estimated=whole.estimated,
        actual_known=rounded_or_none(figures.cost_usd_known, places=COST_PLACES),
        actual_estimated_from_rates=rounded_or_none(figures.cost_usd_estimated, places=COST_PLACES),
        actual_total=whole.actual,
        delta=whole.delta,
        ratio=whole.ratio,
    )


def _workflows(run: UsageRun, plan: CostPlan | None, buckets: Sequence[RunBucket]) -> list[WorkflowVariance]:
    """Those of the plan in its order, then those of the run alone."""
    planned = {one.workflow_id: one for one in plan.workflows.all()} if plan is not None else {}
    begun = (one.workflow_id for one in run.workflows.all())
    names = dict.fromkeys([*planned, *begun, *(bucket.workflow for bucket in buckets)])
    lines = []
    for name in names:
        figures = added_up(bucket.figures for bucket in buckets if bucket.workflow == name)
        estimate = planned.get(name)
        lines.append(
            WorkflowVariance(
                workflow_id=name,
                calls=compared(None if estimate is None else estimate.estimated_calls, figures.calls),
                prompt_tokens_actual=figures.prompt_tokens,
                prompt_words_estimate=None if estimate is None else estimate.prompt_words_estimate,
            )
        )
    return lines
