"""Prices that nobody has looked at for a long time, though they price usage."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Max, Q

from costtrack.models import BudgetAlert, Rate, Severity

OLD_AFTER = timedelta(days=180)


def stale_rates(*, now: datetime, using: str) -> list[BudgetAlert]:
    """One finding per month, about the site, while the newest load of the global prices is older than 180 days."""
    rates = Rate.objects.using(using).filter(organization=None).exclude(source="manual")
    figures = rates.aggregate(loaded_at=Max("updated_at"), used=Max("pk", filter=Q(is_used=True)))
    loaded_at = figures["loaded_at"]
    if loaded_at is None or figures["used"] is None or now - loaded_at < OLD_AFTER:
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
