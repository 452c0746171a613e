"""Closing runs whose processes have died, and letting the budgets of ended runs rest."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Max

from costtrack.conf import settings
from costtrack.metering.runs.caps import rest
from costtrack.models import Budget, Organization, ResourceUsage, RunStatus, RunWorkflow, UsageRun

MOST_AT_ONCE = 100
"""Runs that one call looks at: it is made when a run begins."""
WATCHED_FOR = timedelta(hours=1)
"""How long the budgets of an ended run go on: usage may still be in some spool."""


def tidy_runs(*, now: datetime, organization: Organization | None = None) -> int:
    """Close the runs of an organization, or of all, that nothing is heard of any more; how many.

    A run that has metered nothing for COSTTRACK["RUN_IDLE_HOURS"] is `crashed`, and was over with its last call, or
    when it began. One that lives after all, and ends, says so itself then. The budgets of runs that ended more than an
    hour ago are let rest.
    """
    alias = settings.database
    silent_since = now - timedelta(hours=settings.run_idle_hours)
    runs = UsageRun.objects.using(alias)
    budgets = Budget.objects.using(alias).filter(is_active=True, usage_runs__completed_at__lt=now - WATCHED_FOR)
    if organization is not None:
        runs, budgets = runs.filter(organization=organization), budgets.filter(organization=organization)
    old = runs.filter(status=RunStatus.RUNNING, started_at__lt=silent_since).order_by("started_at")
    closed = sum(_close_if_silent(run, since=silent_since, using=alias) for run in old[:MOST_AT_ONCE])
    for budget in budgets.order_by("id")[:MOST_AT_ONCE]:
        rest(budget, using=alias)
    return closed


def _close_if_silent(run: UsageRun, *, since: datetime, using: str) -> int:
    usage = ResourceUsage.objects.using(using).filter(organization=run.organization_id, run=run.run_id)
    last = usage.aggregate(recorded=Max("recorded_at"), occurred=Max("occurred_at"))
    if last["recorded"] is not None and last["recorded"] >= since:
        return 0
    ended_at = max(run.started_at, last["occurred"] or run.started_at)
    rows = UsageRun.objects.using(using).filter(pk=run.pk, status=RunStatus.RUNNING)
    closed = rows.update(status=RunStatus.CRASHED, completed_at=ended_at)
    if closed:
        RunWorkflow.objects.using(using).filter(run=run, status=RunStatus.RUNNING).update(status=RunStatus.CRASHED)
    return closed
