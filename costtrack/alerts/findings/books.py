"""Books that do not verify: summaries that differ from the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils import timezone

from costtrack.aggregation import Difference
from costtrack.alerts.evaluate import raise_findings
from costtrack.conf import settings
from costtrack.domain.money import decimal_text
from costtrack.models import BudgetAlert, Organization, Severity


def raise_books_alert(
    differences: Sequence[Difference], *, now: datetime | None = None, using: str | None = None
) -> list[BudgetAlert]:
    """One alert per organization and day that differs, however often the proof is made.

    One about the site where of a day only the sums of all organizations together differ.
    """
    alias, instant = using or settings.database, now or timezone.now()
    by_day: dict[tuple[object, str], Difference] = {}
    for difference in differences:
        by_day.setdefault((difference.dimensions.get("organization_id"), difference.day.isoformat()), difference)
    days_told = {day for key, day in by_day if key is not None}
    by_day = {(key, day): one for (key, day), one in by_day.items() if key is not None or day not in days_told}
    organizations = Organization.objects.using(alias).in_bulk([key for key, _ in by_day if isinstance(key, int)])
    findings = [
        BudgetAlert(
            kind=BudgetAlert.Kind.BOOKS,
            organization=organizations[key] if isinstance(key, int) and key in organizations else None,
            key=day if key is None or key in organizations else f"{key} {day}",
            severity=Severity.CRITICAL,
            message=f"The summaries of {day} differ from the ledger. Look at `manage.py aggregate_costs --verify`, "
            "and find out what has changed rows before you rebuild the day: a rebuild hides it.",
            figures={
                "day": day,
                "ledger_minus_summary": {
                    name: decimal_text(by) for name, by in difference.ledger_minus_summary.items()
                },
            },
            raised_at=instant,
        )
        for (key, day), difference in by_day.items()
    ]
    return raise_findings(findings, now=instant, using=alias)
