"""The alert rules that most teams begin with: dear days, weeks and conversations."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from django.db import transaction

from costtrack.budgets.changes import create_budget
from costtrack.conf import settings
from costtrack.models import Budget, BudgetThreshold, Organization, Severity

COST = "Cost of {cost:.2f} USD has reached {threshold:.2f} USD"


class Rule(NamedTuple):
    """A threshold in USD of a budget that refuses nothing."""

    name: str
    usd: Decimal
    period: str
    per: str
    severity: str
    message: str


RULES = (
    Rule("high_daily_cost", Decimal(100), "day", "", Severity.WARNING, f"Daily: {COST}."),
    Rule("critical_daily_cost", Decimal(500), "day", "", Severity.CRITICAL, f"Daily: {COST}."),
    Rule(
        "high_conversation_cost", Decimal(10), "total", "thread", Severity.WARNING, f"Conversation {{subject}}: {COST}."
    ),
    Rule("high_weekly_cost", Decimal(500), "week", "", Severity.WARNING, f"Weekly: {COST}."),
)


def load_default_rules(organization: Organization, *, using: str | None = None) -> list[str]:
    """Make those that are missing, each a soft budget without a limit; gives the names of the new ones.

    One that was changed since, or rests, is left alone; one that was deleted comes back.
    """
    alias = using or settings.database
    made = []
    with transaction.atomic(using=alias):
        Organization.objects.using(alias).select_for_update().get(pk=organization.pk)
        for rule in RULES:
            if Budget.objects.using(alias).filter(organization=organization, name=rule.name).exists():
                continue
            budget = create_budget(
                organization=organization,
                name=rule.name,
                metric=Budget.Metric.COST_USD,
                period=rule.period,
                per=rule.per,
                enforcement=Budget.Enforcement.SOFT,
                is_unlimited=True,
                limit=None,
                using=alias,
                note="a default alert rule",
            )
            budget.thresholds.create(
                level=rule.usd,
                unit=BudgetThreshold.Unit.AMOUNT,
                severity=rule.severity,
                cooldown_minutes=60,
                message_template=rule.message,
            )
            made.append(rule.name)
    return made
