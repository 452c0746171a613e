"""`record_plan(...)`: what a run is expected to need and to cost, kept as a snapshot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from costtrack.budgets.threads import outside_transactions
from costtrack.conf import settings
from costtrack.domain.plans import PlanFigures
from costtrack.exceptions import InvalidUsage
from costtrack.metering.attribution import given_attribution
from costtrack.metering.context import given_here
from costtrack.metering.database_thread import run_sync
from costtrack.metering.plans.estimate import estimated_workflows, plan_figures
from costtrack.metering.plans.given import GivenPlan, GivenWorkflow, given_plan
from costtrack.metering.plans.owner import Owner, owner_of
from costtrack.models import CostPlan, PlannedWorkflow
from costtrack.pricing.ratebook import current_ratebook

RETENTION = 50
MAX_RETENTION = 10_000
ATTEMPTS = 20
"""How often a snapshot is tried to be the next one, when others of the same name are recorded at the same time."""


def record_plan(
    name: str,
    *,
    organization: str = "",
    project: str = "",
    stage: str = "",
    selected_count: int | None = None,
    selection: Mapping[str, Any] | None = None,
    estimated_calls: int | None = None,
    estimated_prompt_tokens: int | None = None,
    estimated_total_tokens: int | None = None,
    estimated_cost_usd: Decimal | int | str | None = None,
    cost_per_1k_tokens: Decimal | int | str | None = None,
    max_calls: int | None = None,
    cost_cap: Decimal | int | str | None = None,
    filters: Mapping[str, Any] | None = None,
    provider: str = "",
    model: str = "",
    workflows: Iterable[Mapping[str, Any]] = (),
    retention: int = RETENTION,
) -> CostPlan:
    """Keep a plan of what a run will need; the snapshot, whose `plan_id` is the fingerprint of its figures.

    `selection` and `filters` are JSON data of your own: what is selected, and by what. Each of `workflows` has a
    `workflow_id` and, of all its calls together, `estimated_calls`, `estimated_prompt_tokens` or
    `prompt_words_estimate`, `estimated_completion_tokens`, `estimated_cost_usd`, and a `model` and `provider`, else
    the plan's. Figures that are not given are summed over the workflows; the cost is worked out from the rates in
    force. Without an organization or a project the plan is of those of the calling context.

    The same figures as those of the newest snapshot of that name refresh its `recorded_at`, and add none. The newest
    `retention` snapshots of a name in its project are kept; `pruned_count` says how many are gone. It is committed at
    once, whatever transaction the caller is in; but inline, and on SQLite, it is part of that. Raises InvalidUsage,
    naming the field, and UnknownOrganization.
    """
    plan = given_plan(
        {
            "name": name,
            "organization": organization,
            "project": project,
            "stage": stage,
            "selected_count": selected_count,
            "selection": selection,
            "estimated_calls": estimated_calls,
            "estimated_prompt_tokens": estimated_prompt_tokens,
            "estimated_total_tokens": estimated_total_tokens,
            "estimated_cost_usd": estimated_cost_usd,
            "cost_per_1k_tokens": cost_per_1k_tokens,
            "max_calls": max_calls,
            "cost_cap": cost_cap,
            "filters": filters,
            "provider": provider,
            "model": model,
            "workflows": list(workflows),
        }
    )
    return record_given_plan(plan, retention=retention)


def record_given_plan(plan: GivenPlan, *, retention: int = RETENTION, now: datetime | None = None) -> CostPlan:
    """The same of a plan that has been checked."""
    if isinstance(retention, bool) or not isinstance(retention, int) or not 1 <= retention <= MAX_RETENTION:
        raise InvalidUsage("retention", retention, f"how many snapshots to keep, from 1 to {MAX_RETENTION:,}")
    instant = now or timezone.now()

    def work() -> CostPlan:
        given = given_attribution(
            {"organization": plan.organization, "project": plan.project}, caller="record_plan()"
        ).over(given_here())
        attribution = given.resolve()
        return outside_transactions(lambda: _record(plan, owner_of(attribution), retention=retention, now=instant))

    return run_sync(work)


def _record(plan: GivenPlan, owner: Owner, *, retention: int, now: datetime) -> CostPlan:
    book = current_ratebook(using=settings.database)
    workflows = estimated_workflows(plan, organization_id=owner.organization.pk, book=book, at=now)
    figures, basis = plan_figures(plan, workflows, organization_id=owner.organization.pk, book=book, at=now)
    snapshot = CostPlan(
        organization=owner.organization,
        project=owner.project,
        name=plan.name,
        plan_id=figures.plan_id,
        cost_basis=basis,
        recorded_at=now,
        first_recorded_at=now,
        **_columns(figures),
    )
    for _ in range(ATTEMPTS - 1):
        try:
            return _keep(snapshot, workflows, retention=retention)
        except IntegrityError:  # somebody else's has become the next one just now
            snapshot.pk = None
    return _keep(snapshot, workflows, retention=retention)


def _columns(figures: PlanFigures) -> dict[str, Any]:
    return dict(vars(figures))


def _keep(snapshot: CostPlan, workflows: Iterable[GivenWorkflow], *, retention: int) -> CostPlan:
    """Make the snapshot the head, unless that is the same plan; prune what is too old."""
    alias = settings.database
    with transaction.atomic(using=alias):
        rows = CostPlan.objects.using(alias).filter(
            organization=snapshot.organization, project=snapshot.project, name=snapshot.name
        )
        head = rows.order_by("-sequence").select_related("organization", "project").first()
        if head is None or head.plan_id != snapshot.plan_id:
            snapshot.sequence = 1 if head is None else head.sequence + 1
            snapshot.save(using=alias, force_insert=True)
            PlannedWorkflow.objects.using(alias).bulk_create(
                PlannedWorkflow(plan=snapshot, **{name: getattr(one, name) for name in WORKFLOW_COLUMNS})
                for one in workflows
            )
            head = snapshot
        head.recorded_at = max(head.recorded_at, snapshot.recorded_at)
        rows.filter(sequence__lte=head.sequence - retention).delete()
        head.pruned_count = head.sequence - rows.count()
        head.save(using=alias, update_fields=["recorded_at", "pruned_count"])
    return head


WORKFLOW_COLUMNS = tuple(GivenWorkflow.__dataclass_fields__)
