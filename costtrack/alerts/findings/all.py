"""Looking for everything that people have to be told besides budgets."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone

from costtrack.alerts.evaluate import raise_findings
from costtrack.alerts.findings.anomalies import anomalous_days
from costtrack.alerts.findings.metering import metering_problems
from costtrack.alerts.findings.stale_rates import stale_rates
from costtrack.alerts.findings.unpriced import unpriced_models
from costtrack.conf import settings
from costtrack.models import BudgetAlert

FINDERS = (unpriced_models, anomalous_days, metering_problems, stale_rates)


def raise_all_findings(*, now: datetime | None = None, using: str | None = None) -> list[BudgetAlert]:
    """Raise what each finder finds; gives the new ones. The proof of the books is dear, and has a job of its own."""
    alias, instant = using or settings.database, now or timezone.now()
    return [
        alert
        for finder in FINDERS
        for alert in raise_findings(finder(now=instant, using=alias), now=instant, using=alias)
    ]
