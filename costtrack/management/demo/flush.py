"""Removing the demo: its organizations with all their usage, and its superuser. Nothing else goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import connections
from django.db.models import Max, Min

from costtrack.aggregation.lock import exclusive_summaries
from costtrack.aggregation.rebuild import resum_site
from costtrack.management.demo.admin_user import demo_admins
from costtrack.management.demo.world import demo_organizations
from costtrack.models import (
    Agent,
    Budget,
    CostPlan,
    DailyCostSummary,
    Hold,
    Project,
    Rate,
    ResourceUsage,
    UsageKey,
    UsageRun,
)
from costtrack.pricing.ratebook import forget_rates


@dataclass(frozen=True, slots=True, kw_only=True)
class FlushReport:
    """What was removed."""

    organizations: int
    usage_rows: int
    users: int


def flush_demo(*, using: str) -> FlushReport:
    """Remove it in one transaction, in which nothing folds. Global rates stay, also those that priced the demo."""
    with exclusive_summaries(using=using):
        organizations = demo_organizations(using=using)
        ids = list(organizations.values_list("id", flat=True))
        _allow_maintenance(True, using=using)
        usage_rows = ResourceUsage.objects.using(using).filter(organization__in=ids).purge()
        UsageKey.objects.using(using).filter(organization__in=ids).delete()
        _delete_summaries(ids, using=using)
        Rate.objects.using(using).filter(organization__in=ids).delete()
        Hold.objects.using(using).filter(organization__in=ids).delete()
        Budget.objects.using(using).filter(
            organization__in=ids
        ).delete_unrecorded()  # with counters, thresholds and history
        UsageRun.objects.using(using).filter(organization__in=ids).delete()
        CostPlan.objects.using(using).filter(organization__in=ids).delete()
        Agent.objects.using(using).filter(project__organization__in=ids).delete()
        Project.objects.using(using).filter(organization__in=ids).delete()
        organizations.filter(id__in=ids).delete()
        _allow_maintenance(False, using=using)
        users = demo_admins().count()
        demo_admins().delete()
    forget_rates()
    return FlushReport(organizations=len(ids), usage_rows=usage_rows, users=users)


def _delete_summaries(organizations: Sequence[int], *, using: str) -> None:
    """Those of these organizations, and their part of the site's."""
    rows = DailyCostSummary.all_grains.using(using).filter(organization__in=organizations)
    days = rows.aggregate(first=Min("day"), last=Max("day"))
    rows.delete()
    if days["first"] is not None:
        resum_site(start=days["first"], end=days["last"] + timedelta(days=1), using=using)


def _allow_maintenance(is_allowed: bool, *, using: str) -> None:
    """Let this transaction delete from the append-only ledger and used rates; SQLite refuses updates only."""
    connection = connections[using]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL costtrack.maintenance = '{'on' if is_allowed else ''}'")
