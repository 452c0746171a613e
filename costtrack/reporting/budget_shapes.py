"""Budgets and holds as JSON: amounts are exact decimal strings, None is null."""

from __future__ import annotations

from typing import Any

from costtrack.domain.budget_periods import BudgetPeriod
from costtrack.domain.budget_rules import BudgetMetric, Enforcement
from costtrack.domain.money import decimal_text
from costtrack.domain.periods import ZoneHistory
from costtrack.reporting.budget_figures import BudgetState, BudgetStatus
from costtrack.reporting.columns import Column, Kind, column_shape
from costtrack.reporting.holds import OutstandingHold

UTC = ZoneHistory.of("UTC")


STATUS_COLUMNS = (
    Column("budget_id", Kind.INTEGER, lambda row: row.budget_id),
    Column("budget", Kind.TEXT, lambda row: row.budget, about="Its name, else what it is about."),
    Column("organization", Kind.TEXT, lambda row: row.organization),
    Column("scope", Kind.DATA, lambda row: dict(row.scope), about="What it is about, with its subject."),
    Column(
        "subject",
        Kind.TEXT,
        lambda row: row.subject_text,
        about='Which thread, agent ... of a budget that has one counter for each; "" for the whole scope.',
    ),
    Column("metric", Kind.TEXT, lambda row: row.metric, choices=tuple(BudgetMetric)),
    Column("enforcement", Kind.TEXT, lambda row: row.enforcement, choices=tuple(Enforcement)),
    Column("period", Kind.TEXT, lambda row: row.period, choices=tuple(BudgetPeriod)),
    Column("state", Kind.TEXT, lambda row: row.state.value, choices=tuple(BudgetState)),
    Column("limit", Kind.DECIMAL, lambda row: row.limit, is_nullable=True, about="null: it is unlimited."),
    Column("spent", Kind.DECIMAL, lambda row: row.spent),
    Column("held", Kind.DECIMAL, lambda row: row.held, about="By reservations of calls that are being made."),
    Column("leased", Kind.DECIMAL, lambda row: row.leased, about="Handed to Redis, which admits out of it."),
    Column(
        "remaining",
        Kind.DECIMAL,
        lambda row: row.remaining,
        is_nullable=True,
        about="What a call may still take, never below 0; null: it is unlimited.",
    ),
    Column(
        "percent",
        Kind.DECIMAL,
        lambda row: row.percent,
        is_nullable=True,
        about="How much of the limit is spent; null without a limit, and for one of 0.",
    ),
    Column("overrun", Kind.DECIMAL, lambda row: row.overrun, about="What is spent above the limit."),
    Column(
        "forecast",
        Kind.DECIMAL,
        lambda row: row.forecast,
        is_nullable=True,
        about="What will be spent at the period's end; null where there is no telling.",
    ),
    Column("forecast_method", Kind.TEXT, lambda row: row.forecast_method, about="How, or why there is none."),
    Column("period_start", Kind.INSTANT, lambda row: row.period_start),
    Column(
        "resets_at",
        Kind.INSTANT,
        lambda row: row.resets_at,
        is_nullable=True,
        about="When the period ends; null: never.",
    ),
    Column("shadow_refusals", Kind.INTEGER, lambda row: row.shadow_refusals, about="What hard would have refused."),
    Column(
        "other_subjects",
        Kind.INTEGER,
        lambda row: row.other_subjects,
        about="How many subjects of the same budget are left out, because they have spent less.",
    ),
)
"""What is told of a BudgetStatus, with everything that can be worked out of it."""


def budget_shape(status: BudgetStatus, *, zone: ZoneHistory = UTC) -> dict[str, Any]:
    """A status as an object for JSON; instants with the offset of `zone`."""
    return column_shape(STATUS_COLUMNS, status, zone=zone)


def hold_shape(hold: OutstandingHold) -> dict[str, Any]:
    """An outstanding hold; its age in seconds."""
    return {
        "id": str(hold.id),
        "state": hold.state,
        "organization": hold.organization,
        "about": dict(hold.about),
        "amounts": [
            {
                "budget_id": one.budget_id,
                "budget": one.budget,
                "subject": one.subject,
                "metric": one.metric,
                "amount": decimal_text(one.amount),
            }
            for one in hold.amounts
        ],
        "admitted_at": hold.admitted_at.isoformat(),
        "age_seconds": int(hold.age.total_seconds()),
        "expires_at": hold.expires_at.isoformat(),
        "is_expired": hold.is_expired,
        "is_unpriced": hold.is_unpriced,
    }
