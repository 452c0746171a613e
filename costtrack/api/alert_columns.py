"""What lists show of alerts, and by what they are looked for."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet

from costtrack.api.filters import CostFilterSet, choices_of
from costtrack.models import BudgetAlert, Severity
from costtrack.models.alerts import ALERT_STATES
from costtrack.reporting.columns import Column, Kind

KINDS = tuple(BudgetAlert.Kind.values)
SEVERITIES = tuple(Severity.values)
STATES = tuple(ALERT_STATES)


def _person(name: str) -> Column:
    def value(row: BudgetAlert) -> str | None:
        person = getattr(row, name)
        return None if person is None else str(person.get_username())

    return Column(name, Kind.TEXT, value, is_nullable=True, about="The user's name.")


COLUMNS = (
    Column("id", Kind.TEXT, lambda row: str(row.id), about="A UUID."),
    Column("kind", Kind.TEXT, lambda row: row.kind, about="What it is about.", choices=KINDS),
    Column(
        "organization",
        Kind.TEXT,
        lambda row: row.organization and row.organization.slug,
        is_nullable=True,
        about="Its slug; null: it is about the site.",
    ),
    Column("budget", Kind.INTEGER, lambda row: row.budget_id, is_nullable=True, about="Its id."),
    Column("subject", Kind.TEXT, lambda row: row.subject, about="Which thread, agent ...; empty for the whole budget."),
    Column("period_start", Kind.INSTANT, lambda row: row.period_start, is_nullable=True, about="The budget's period."),
    Column("severity", Kind.TEXT, lambda row: row.severity, choices=SEVERITIES),
    Column("state", Kind.TEXT, lambda row: row.state, choices=STATES),
    Column("message", Kind.TEXT, lambda row: row.message),
    Column("figures", Kind.DATA, lambda row: row.figures, about="What the message says, as data; numbers as text."),
    Column("raised_at", Kind.INSTANT, lambda row: row.raised_at),
    Column("acknowledged_at", Kind.INSTANT, lambda row: row.acknowledged_at, is_nullable=True),
    _person("acknowledged_by"),
    Column("resolved_at", Kind.INSTANT, lambda row: row.resolved_at, is_nullable=True),
    _person("resolved_by"),
)


class AlertFilters(CostFilterSet):
    """By what they are about, how bad they are, and how far people are with them."""

    state = django_filters.ChoiceFilter(choices=choices_of(STATES), method="in_state")
    severity = django_filters.ChoiceFilter(choices=choices_of(SEVERITIES))
    kind = django_filters.ChoiceFilter(choices=choices_of(KINDS))

    def in_state(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """Those that are open, acknowledged or resolved."""
        return rows.filter(ALERT_STATES[value])
