"""What people do about alerts: acknowledge, resolve, reopen, note. Each leaves a line that says who, and when."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from costtrack.conf import settings
from costtrack.exceptions import CostTrackError
from costtrack.models import AlertAction, BudgetAlert

Action = AlertAction.Action
LONGEST_NOTE = 500


class AlertStateConflict(CostTrackError, ValueError):
    """The alert is not in a state in which that can be done."""


def acknowledge_alert(alert: BudgetAlert, *, by: Any, note: str = "", now: datetime | None = None) -> BudgetAlert:
    """Say that somebody is seeing to it. Again changes nothing; raises AlertStateConflict for one that is resolved."""
    return _act(alert, Action.ACKNOWLEDGED, by=by, note=note, now=now)


def resolve_alert(alert: BudgetAlert, *, by: Any, note: str = "", now: datetime | None = None) -> BudgetAlert:
    """Say that it is done with. Again changes nothing."""
    return _act(alert, Action.RESOLVED, by=by, note=note, now=now)


def reopen_alert(alert: BudgetAlert, *, by: Any, note: str = "", now: datetime | None = None) -> BudgetAlert:
    """Say that it is not done with after all. Of one that is open it changes nothing."""
    return _act(alert, Action.REOPENED, by=by, note=note, now=now)


def note_on_alert(alert: BudgetAlert, *, by: Any, note: str, now: datetime | None = None) -> BudgetAlert:
    """Leave a line, whatever its state."""
    return _act(alert, Action.NOTED, by=by, note=note, now=now)


def _act(alert: BudgetAlert, action: Action, *, by: Any, note: str, now: datetime | None) -> BudgetAlert:
    """Do it to the row as it is now; gives that row as it is then."""
    if len(note) > LONGEST_NOTE or "\x00" in note:
        raise AlertStateConflict(f"note: got {len(note):,} characters, expected at most {LONGEST_NOTE}, without NUL.")
    alias, instant = settings.database, now or timezone.now()
    person = by if getattr(by, "is_authenticated", False) else None
    with transaction.atomic(using=alias):
        current = BudgetAlert.objects.using(alias).select_for_update(of=("self",)).get(pk=alert.pk)
        if not _is_changed(current, action, person, instant):
            return current
        current.save(using=alias, update_fields=["acknowledged_at", "acknowledged_by", "resolved_at", "resolved_by"])
        AlertAction.objects.using(alias).create(alert=current, action=action, at=instant, by=person, note=note)
    return current


def _is_changed(alert: BudgetAlert, action: Action, person: Any, now: datetime) -> bool:
    """Change the alert's fields; whether there was anything to do."""
    state = alert.state
    if action is Action.ACKNOWLEDGED:
        if state == "resolved":
            raise AlertStateConflict("This alert is resolved. Reopen it first.")
        if state == "acknowledged":
            return False
        alert.acknowledged_at, alert.acknowledged_by = now, person
    elif action is Action.RESOLVED:
        if state == "resolved":
            return False
        alert.resolved_at, alert.resolved_by = now, person
    elif action is Action.REOPENED:
        if state == "open":
            return False
        alert.acknowledged_at = alert.acknowledged_by = alert.resolved_at = alert.resolved_by = None
    return True
