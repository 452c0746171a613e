"""A plan and a run of an organization, for the tests of the screens."""

from __future__ import annotations

from costtrack.models import CostPlan, Organization, UsageRun
from tests.factories import NOON


def make_plan_and_run(organization: Organization) -> tuple[CostPlan, UsageRun]:
    """With a workflow each; their texts begin with the organization's slug."""
    slug = organization.slug
    plan = organization.cost_plans.create(
        name=f"{slug}-docs",
        sequence=1,
        plan_id=f"{slug}-print"[:12],
        selection={"ids": [f"{slug}-chunk"]},
        cost_basis="unknown",
        recorded_at=NOON,
        first_recorded_at=NOON,
    )
    plan.workflows.create(workflow_id=f"{slug}-draft", estimated_calls=2)
    run = organization.usage_runs.create(
        run_id=f"{slug}-run", name=f"{slug}-docs", run_index=1, plan_id=plan.plan_id, snapshot=plan, started_at=NOON
    )
    run.workflows.create(workflow_id=f"{slug}-draft")
    return plan, run
