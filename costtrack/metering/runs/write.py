"""The rows of runs: begun, gone on with, ended; and those of their workflows."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max, Q
from django.utils import timezone

from costtrack.budgets.changes import changing_budgets
from costtrack.budgets.known import known_budgets
from costtrack.conf import settings
from costtrack.domain.events import Attribution
from costtrack.exceptions import InvalidUsage
from costtrack.metering.plans.owner import Owner, owner_of
from costtrack.metering.runs.caps import watch_caps, watch_caps_again
from costtrack.metering.runs.upkeep import tidy_runs
from costtrack.models import CostPlan, Organization, RunStatus, RunWorkflow, UsageRun

ATTEMPTS = 3
"""How often a run is begun, where its id was taken, or its plan pruned, just now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStart:
    """What is asked for."""

    name: str
    """"" is the plan's."""
    run_id: str
    """"" is a new one."""
    plan: CostPlan | str | None
    is_enforced: bool
    says_organization: bool
    """Whether the organization is said with the run, so that it is not the plan's."""


def start_run(start: RunStart, attribution: Attribution) -> UsageRun:
    """Begin the run, or go on with the one of that id; with its organization and project loaded.

    Runs of the organization whose processes have died are closed on the way.
    """
    alias, plan = settings.database, start.plan
    if isinstance(plan, CostPlan) and not start.says_organization:
        owner = Owner(plan.organization, plan.project)
    else:
        owner = owner_of(attribution)
    tidy_runs(now=timezone.now(), organization=owner.organization)
    found = _found_plan(plan, owner) if isinstance(plan, str) else _kept_plan(plan, owner)
    run = _of_same_id(start, owner) or _begin(start, owner, found)
    if run.is_enforced and not settings.is_inline():
        known_budgets(alias).refresh()  # so that this process's very next call asks them
    return run


def end_run(run: UsageRun, *, status: RunStatus, error_type: str) -> None:
    """Note how it ended, and that its workflows did which have not been ended by themselves."""
    alias = settings.database
    with transaction.atomic(using=alias):
        UsageRun.objects.using(alias).filter(pk=run.pk).update(
            status=status, error_type=error_type[:200], completed_at=max(timezone.now(), run.started_at)
        )
        RunWorkflow.objects.using(alias).filter(run=run, status=RunStatus.RUNNING).update(status=status)


def note_workflow(run: UsageRun, workflow_id: str, *, status: RunStatus, stages: Sequence[str]) -> None:
    """Note how a workflow fares, and the stages that it has begun, besides those of a time before."""
    alias = settings.database
    rows = RunWorkflow.objects.using(alias)
    with transaction.atomic(using=alias):
        rows.bulk_create([RunWorkflow(run=run, workflow_id=workflow_id)], ignore_conflicts=True)
        row = rows.select_for_update().get(run=run, workflow_id=workflow_id)
        row.stages = list(dict.fromkeys([*row.stages, *stages]))
        row.status = status
        row.save(using=alias, update_fields=["stages", "status"])


def _of_same_id(start: RunStart, owner: Owner) -> UsageRun | None:
    if not start.run_id:
        return None
    alias = settings.database
    rows = UsageRun.objects.using(alias).filter(organization=owner.organization, run_id=start.run_id)
    run = rows.select_related("organization", "project").first()
    if run is None:
        return None
    if start.name not in ("", run.name) or start.is_enforced != run.is_enforced or run.project != owner.project:
        raise InvalidUsage("run_id", start.run_id, f"an id of its own: it is that of {run}, which is another run")
    with changing_budgets(owner.organization.pk, using=alias) if run.budgets.exists() else _plainly():
        rows.update(status=RunStatus.RUNNING, completed_at=None, error_type="")
        watch_caps_again(run, using=alias)
    return run


def _begin(start: RunStart, owner: Owner, plan: CostPlan | None) -> UsageRun:
    has_caps = plan is not None and not (plan.max_calls is None and plan.cost_cap is None)
    if start.is_enforced and not has_caps:
        raise InvalidUsage("enforce", True, "a plan with max_calls or a cost_cap: without one there is no cap")
    fields: dict[str, Any] = {
        "organization": owner.organization,
        "project": owner.project,
        "run_id": start.run_id or str(uuid.uuid4()),
        "is_enforced": start.is_enforced,
        "started_at": timezone.now(),
        "name": start.name,
        "plan_id": start.plan if isinstance(start.plan, str) else "",
    }
    if plan is not None:
        fields |= {"plan_id": plan.plan_id, "max_calls": plan.max_calls, "cost_cap": plan.cost_cap}
        fields["snapshot_id"] = plan.pk
    fields["name"] = fields["name"] or (str(start.plan) if plan is None else plan.name)
    for _ in range(ATTEMPTS - 1):
        try:
            return _insert(fields, has_caps=has_caps)
        except IntegrityError:
            if (run := _of_same_id(start, owner)) is not None:
                return run
            if plan is not None and not CostPlan.objects.using(settings.database).filter(pk=plan.pk).exists():
                fields["snapshot_id"] = None
    return _insert(fields, has_caps=has_caps)


def _insert(fields: dict[str, Any], *, has_caps: bool) -> UsageRun:
    alias, organization = settings.database, fields["organization"]
    # The organization's lock before the run's row, whose keys others wait for: two would wait for one another.
    with changing_budgets(organization.pk, using=alias) if has_caps else _numbering(organization):
        earlier = UsageRun.objects.using(alias).filter(
            organization=organization, project=fields["project"], name=fields["name"]
        )
        last: int = earlier.aggregate(last=Max("run_index"))["last"] or 0
        run = UsageRun(**fields, run_index=last + 1)
        run.save(using=alias, force_insert=True)
        if has_caps:
            watch_caps(run, using=alias)
    return run


@contextmanager
def _numbering(organization: Organization) -> Iterator[None]:
    """A transaction in which no other run of the organization begins."""
    alias = settings.database
    with transaction.atomic(using=alias):
        list(Organization.objects.using(alias).select_for_update(no_key=True).filter(pk=organization.pk))
        yield


def _plainly() -> AbstractContextManager[None]:
    return transaction.atomic(using=settings.database)


def _kept_plan(plan: CostPlan | None, owner: Owner) -> CostPlan | None:
    if plan is not None and plan.organization_id != owner.organization.pk:
        raise InvalidUsage("plan", str(plan), f"a plan of the run's organization, {owner.organization.slug}")
    return plan


def _found_plan(plan: str, owner: Owner) -> CostPlan | None:
    """The newest snapshot of that id, else of that name in the project; None where neither is kept."""
    rows = CostPlan.objects.using(settings.database).filter(organization=owner.organization)
    by_id = rows.filter(plan_id=plan).filter(Q(project=owner.project) | Q(project=None))
    found = by_id.order_by("-recorded_at", "-id").first()
    return found or rows.filter(project=owner.project, name=plan).order_by("-sequence").first()
