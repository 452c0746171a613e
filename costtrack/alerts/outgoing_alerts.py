"""An alert as a message: its subject, its text and its data."""

from __future__ import annotations

from typing import Any

from costtrack.alerts.channels.outgoing import Outgoing
from costtrack.models import AlertDelivery, BudgetAlert


def outgoing_alert(delivery: AlertDelivery) -> Outgoing:
    """The message of a delivery, whose alert is loaded with its organization (else two queries more)."""
    alert = delivery.alert
    where = alert.organization.slug if alert.organization else "costtrack"
    return Outgoing(
        id=str(delivery.id),
        type="alert.raised",
        created_at=alert.raised_at,
        subject=f"[{alert.severity}] {where}: {_first_sentence(alert)}"[:200],
        text=alert.message,
        severity=alert.severity,
        data=alert_data(alert),
    )


def _first_sentence(alert: BudgetAlert) -> str:
    if not alert.message:
        return str(alert.get_kind_display())
    sentence, end, _ = alert.message.splitlines()[0].partition(". ")
    return f"{sentence}." if end else sentence


def alert_data(alert: BudgetAlert) -> dict[str, Any]:
    """The alert for programs."""
    return {
        "id": str(alert.id),
        "kind": alert.kind,
        "organization": alert.organization.slug if alert.organization else None,
        "budget": alert.budget_id,
        "subject": alert.subject,
        "period_start": alert.period_start.isoformat() if alert.period_start else None,
        "severity": alert.severity,
        "message": alert.message,
        "figures": alert.figures,
        "raised_at": alert.raised_at.isoformat(),
    }
