"""Usage that has no price: what it costs is unknown, and no budget of dollars counts it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Sum

from costtrack.models import BudgetAlert, DailyCostSummary, Organization, Severity
from costtrack.models.summaries import MODEL
from costtrack.pricing.ratebook import RateBook, current_ratebook

LOOKS_BACK_DAYS = 7
LONGEST_KEY = 200


def unpriced_models(*, now: datetime, using: str) -> list[BudgetAlert]:
    """One finding per organization, model and month, of what was used in the last seven days (two queries)."""
    since = (now - timedelta(days=LOOKS_BACK_DAYS)).date()
    rows = DailyCostSummary.objects.db_manager(using).at_grain(MODEL).filter(day__gte=since)
    found = rows.values("organization_id", "provider", "model", "resource_type").annotate(calls=Sum("unpriced_calls"))
    unpriced = [row for row in found.filter(calls__gt=0).order_by("organization_id", "provider", "model")]
    organizations = Organization.objects.using(using).in_bulk({row["organization_id"] for row in unpriced})
    book = current_ratebook(using=using)
    return [
        BudgetAlert(
            kind=BudgetAlert.Kind.UNPRICED,
            organization=organizations[row["organization_id"]],
            key=_key(f"{now:%Y-%m}", row["provider"], row["model"], row["resource_type"]),
            severity=Severity.WARNING,
            message=_message(row, has_rate=_has_rate(row, book=book, now=now)),
            figures={name: row[name] for name in ("provider", "model", "resource_type", "calls")},
            raised_at=now,
        )
        for row in unpriced
        if row["organization_id"] in organizations
    ]


def _has_rate(row: Mapping[str, Any], *, book: RateBook, now: datetime) -> bool:
    asked = {name: row[name] for name in ("organization_id", "provider", "model", "resource_type")}
    return book.find(**asked, at=now) is not None


def _message(row: Mapping[str, Any], *, has_rate: bool) -> str:
    what = f"{row['model'] or row['resource_type']} of {row['provider'] or 'an unknown provider'}"
    calls = f"{row['calls']:,} {'call' if row['calls'] == 1 else 'calls'} of the last {LOOKS_BACK_DAYS} days"
    if has_rate:
        return (
            f"{what} has a rate now, but what {calls} cost is unknown, and in no total. Those that were made before it "
            "was known `manage.py reprice_usage` prices; those that told no usage nothing can: pass their tokens on."
        )
    return (
        f"{what} has no price: what {calls} cost is unknown, and in no total. Add a rate in the admin, under Rates, or "
        "by `manage.py load_rates`; then run `manage.py reprice_usage`."
    )


def _key(*parts: str) -> str:
    key = " ".join(parts)
    return key if len(key) <= LONGEST_KEY else hashlib.sha256(key.encode()).hexdigest()
