"""Budgets and holds as JSON: amounts are exact decimal strings, None is null."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from costtrack.domain.money import decimal_text
from costtrack.reporting.budget_figures import BudgetStatus
from costtrack.reporting.holds import OutstandingHold


def budget_shape(status: BudgetStatus) -> dict[str, Any]:
    """A status, with everything that can be worked out of it."""
    return {
        "budget_id": status.budget_id,
        "budget": status.budget,
        "organization": status.organization,
        "scope": dict(status.scope),
        "subject": status.subject_text,
        "metric": status.metric,
        "enforcement": status.enforcement,
        "period": status.period,
        "state": status.state.value,
        "limit": _amount(status.limit),
        "spent": _amount(status.spent),
        "held": _amount(status.held),
        "leased": _amount(status.leased),
        "remaining": _amount(status.remaining),
        "percent": _amount(status.percent),
        "overrun": _amount(status.overrun),
        "forecast": _amount(status.forecast),
        "forecast_method": status.forecast_method,
        "period_start": status.period_start.isoformat(),
        "resets_at": status.resets_at.isoformat() if status.resets_at else None,
        "shadow_refusals": status.shadow_refusals,
        "other_subjects": status.other_subjects,
    }


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
                "amount": _amount(one.amount),
            }
            for one in hold.amounts
        ],
        "admitted_at": hold.admitted_at.isoformat(),
        "age_seconds": int(hold.age.total_seconds()),
        "expires_at": hold.expires_at.isoformat(),
        "is_expired": hold.is_expired,
        "is_unpriced": hold.is_unpriced,
    }


def _amount(value: Decimal | None) -> str | None:
    return None if value is None else decimal_text(value)
