"""Jobs that look after budgets and tell people: holds that have expired, thresholds, findings, deliveries."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone

from costtrack.alerts.deliver import Delivered, deliver_alerts
from costtrack.alerts.evaluate import raise_budget_alerts
from costtrack.alerts.findings.all import raise_all_findings
from costtrack.budgets.holds import sweep_expired
from costtrack.budgets.pruning import Pruned, prune_counters
from costtrack.conf import settings
from costtrack.jobs.reports import deliver_reports
from costtrack.jobs.runs import job_run
from costtrack.jobs.usage_webhooks import deliver_usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a check of the budgets did."""

    swept: int
    """Holds that had expired."""
    pruned: Pruned
    alerts: int
    """New ones."""


def check_budgets() -> Checked:
    """End holds that have expired, clear away what nobody needs, and raise what thresholds say."""
    alias = settings.database
    with job_run("check_budgets"):
        now = timezone.now()
        swept = sweep_expired(using=alias)
        alerts = raise_budget_alerts(now=now, using=alias)
        return Checked(swept=swept, pruned=prune_counters(alias, now), alerts=len(alerts))


def deliver() -> Delivered:
    """Send what is due: alerts, reports, usage."""
    with job_run("deliver_alerts"):
        return deliver_alerts() + deliver_reports() + deliver_usage()


def find_alerts() -> int:
    """Look for what people have to be told besides budgets; the new alerts."""
    with job_run("find_alerts"):
        return len(raise_all_findings())
