"""Prices that nobody has looked at for a long time, though they price usage."""

from __future__ import annotations

from datetime import datetime

from costtrack.models import BudgetAlert, Severity
from costtrack.pricing.load_age import loaded_prices


def stale_rates(*, now: datetime, using: str) -> list[BudgetAlert]:
    """One finding per month, about the site, while the newest load of the global prices is older than 180 days."""
    found = loaded_prices(using=using)
    loaded_at = found.loaded_at
    if loaded_at is None or not found.are_used or not found.are_old(now):
        return []
    days = (now - loaded_at).days
    return [
        BudgetAlert(
            kind=BudgetAlert.Kind.STALE_RATE,
            key=f"{now:%Y-%m}",
            severity=Severity.WARNING,
            message=f"The prices were loaded {days} days ago, on {loaded_at:%Y-%m-%d}: providers change theirs more "
            "often. Update costtrack, and run `manage.py load_rates`.",
            figures={"loaded_at": loaded_at.isoformat(), "days": days},
            raised_at=now,
        )
    ]
