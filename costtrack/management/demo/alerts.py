"""The demo's alerts: rules to begin with, thresholds on its budgets, and a channel, so that there are some to see."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from costtrack.alerts.default_rules import load_default_rules
from costtrack.alerts.evaluate import raise_budget_alerts, raise_findings
from costtrack.alerts.findings.anomalies import anomalous_days
from costtrack.alerts.findings.unpriced import unpriced_models
from costtrack.management.demo.world import demo_organizations
from costtrack.models import AlertChannel, Budget, BudgetAlert, BudgetThreshold, Organization, Severity

Basis = BudgetThreshold.Basis
LEVELS = (
    (Decimal(50), Basis.ACTUAL, Severity.INFO),
    (Decimal(80), Basis.ACTUAL, Severity.WARNING),
    (Decimal(100), Basis.ACTUAL, Severity.CRITICAL),
    (Decimal(100), Basis.FORECAST, Severity.WARNING),
)
"""(percent, basis, severity) of each budget that has a limit."""


def create_alert_rules(*, using: str) -> None:
    """After the traffic: so that it is counted in the demo's own budgets alone."""
    for organization in demo_organizations(using=using):
        _create_channel(organization, using=using)
        load_default_rules(organization, using=using)
        for budget in Budget.objects.using(using).filter(organization=organization, limit__isnull=False, run=""):
            for level, basis, severity in LEVELS:
                budget.thresholds.create(level=level, basis=basis, severity=severity, cooldown_minutes=60)
            if budget.period == "day" and not budget.per:  # one that its days reach
                budget.thresholds.create(level=1, unit=BudgetThreshold.Unit.AMOUNT, severity=Severity.INFO)


def raise_demo_alerts(*, now: datetime, using: str) -> None:
    """Raise what the jobs would."""
    raise_budget_alerts(now=now, using=using)
    for finder in (unpriced_models, anomalous_days):  # the others are about the machine, and would outlive the demo
        raise_findings(finder(now=now, using=using), now=now, using=using)


def count_alerts(*, using: str) -> int:
    """Those of the demo's organizations."""
    return BudgetAlert.objects.using(using).filter(organization__in=demo_organizations(using=using)).count()


def _create_channel(organization: Organization, *, using: str) -> None:
    AlertChannel.objects.using(using).create(
        organization=organization, name="team", kind=AlertChannel.Kind.EMAIL, target=f"team@{organization.slug}.example"
    )
