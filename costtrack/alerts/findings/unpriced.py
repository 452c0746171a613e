"""Models that are used and have no price: what they cost is unknown, and no budget of dollars counts it."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from django.db.models import Sum

from costtrack.models import BudgetAlert, DailyCostSummary, Organization, Severity

LOOKS_BACK_DAYS = 7
LONGEST_KEY = 200


def unpriced_models(*, now: datetime, using: str) -> list[BudgetAlert]:
    """One finding per organization, model and month, of what was used in the last seven days (two queries)."""
    since = (now - timedelta(days=LOOKS_BACK_DAYS)).date()
    rows = DailyCostSummary.objects.db_manager(using).at_grain("project").filter(day__gte=since)
    found = rows.values("organization_id", "provider", "model", "resource_type").annotate(calls=Sum("unpriced_calls"))
    unpriced = [row for row in found.filter(calls__gt=0).order_by("organization_id", "provider", "model")]
    organizations = Organization.objects.using(using).in_bulk({row["organization_id"] for row in unpriced})
    return [
        BudgetAlert(
            kind=BudgetAlert.Kind.UNPRICED,
            organization=organizations[row["organization_id"]],
            key=_key(f"{now:%Y-%m}", row["provider"], row["model"], row["resource_type"]),
            severity=Severity.WARNING,
            message=f"{row['model'] or row['resource_type']} of {row['provider'] or 'an unknown provider'} has no "
            f"price: what {row['calls']:,} calls of the last {LOOKS_BACK_DAYS} days cost is unknown, and in no total. "
            "Add a rate in the admin, under Rates, or by `manage.py load_rates`; then run `manage.py reprice_usage`.",
            figures={name: row[name] for name in ("provider", "model", "resource_type", "calls")},
            raised_at=now,
        )
        for row in unpriced
        if row["organization_id"] in organizations
    ]


def _key(*parts: str) -> str:
    key = " ".join(parts)
    return key if len(key) <= LONGEST_KEY else hashlib.sha256(key.encode()).hexdigest()
