"""Raising alerts: the only writer of BudgetAlert. However many ask at once, and however often, each is raised once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from costtrack.alerts.crossings import Crossing, crossings
from costtrack.alerts.messages import alert_figures, alert_message
from costtrack.alerts.outbox import add_deliveries
from costtrack.conf import settings
from costtrack.domain.periods import ZoneHistory
from costtrack.models import BudgetAlert
from costtrack.signals import alerts_raised


def raise_budget_alerts(
    *, now: datetime | None = None, counters: Collection[int] | None = None, using: str | None = None
) -> list[BudgetAlert]:
    """Raise what thresholds say that no alert tells of yet; gives the new ones.

    `counters` looks at those of these ids only: at what a batch has just moved. Their deliveries are in the outbox when
    this returns; `costtrack.alerts.deliver` sends them.
    """
    alias, instant = using or settings.database, now or timezone.now()
    found = list(crossings(now=instant, using=alias, counters=counters))
    return _raise(found, now=instant, using=alias)


def raise_refused(
    found: Sequence[Crossing], *, now: datetime | None = None, using: str | None = None
) -> list[BudgetAlert]:
    """Raise the threshold of the whole limit, because calls are refused: what is left may be too little to ever use."""
    alias, instant = using or settings.database, now or timezone.now()
    return _raise(found, now=instant, using=alias, is_refusing=True)


def raise_findings(findings: Iterable[BudgetAlert], *, now: datetime, using: str) -> list[BudgetAlert]:
    """Raise alerts about other things than budgets, which have a `key`; those that were raised before are left out."""
    return _write(list(findings), now=now, using=using)


def _raise(found: Sequence[Crossing], *, now: datetime, using: str, is_refusing: bool = False) -> list[BudgetAlert]:
    zones: dict[int, ZoneHistory] = {}
    alerts = []
    for crossing in found:
        budget = crossing.threshold.budget
        if budget.organization_id not in zones:
            zones[budget.organization_id] = budget.organization.zone_history()
        history = zones[budget.organization_id]
        alerts.append(
            BudgetAlert(
                kind=BudgetAlert.Kind.BUDGET,
                organization_id=budget.organization_id,
                budget=budget,
                threshold=crossing.threshold,
                subject=crossing.counter.subject,
                period_start=crossing.counter.period_start,
                generation=budget.alert_generation,
                severity=crossing.threshold.severity,
                message=alert_message(crossing, zones=history, is_refusing=is_refusing),
                figures=alert_figures(crossing, zones=history),
                raised_at=now,
            )
        )
    return _write(alerts, now=now, using=using)


def _write(alerts: list[BudgetAlert], *, now: datetime, using: str) -> list[BudgetAlert]:
    """Write those that nobody else has written, with their deliveries, in one transaction."""
    if not alerts:
        return []
    alerts.sort(key=_order)
    with transaction.atomic(using=using):
        BudgetAlert.objects.using(using).bulk_create(alerts, ignore_conflicts=True)
        # Each has a random id: those that are there are this call's, whoever else has tried.
        own = set(
            BudgetAlert.objects.using(using).filter(id__in=[one.id for one in alerts]).values_list("id", flat=True)
        )
        new = [one for one in alerts if one.id in own]
        add_deliveries(new, now=now, using=using)
        if new:
            transaction.on_commit(lambda: _tell(new), using=using, robust=True)
    return new


def _order(alert: BudgetAlert) -> tuple[object, ...]:
    """The same for all who write: two that write the same alerts never wait for one another."""
    period = "" if alert.period_start is None else alert.period_start.isoformat()
    return (alert.organization_id or 0, alert.budget_id or 0, alert.threshold_id or 0, alert.subject, period, alert.key)


def _tell(alerts: Sequence[BudgetAlert]) -> None:
    alerts_raised.send_robust(sender=BudgetAlert, alerts=alerts)
