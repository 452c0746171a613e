"""Which channels an alert goes to; the deliveries are written in the alert's own transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db.models import Q

from costtrack.models import AlertChannel, AlertDelivery, BudgetAlert, BudgetThreshold, Severity

WORST_LAST = [Severity.INFO, Severity.WARNING, Severity.CRITICAL]


def add_deliveries(alerts: Sequence[BudgetAlert], *, now: datetime, using: str) -> list[AlertDelivery]:
    """One delivery per alert and channel, to be sent from `now` on; held back while the threshold's cooldown lasts.

    A threshold that names channels is told to those; all else goes to every channel of its organization, and what is
    about the site to the site's. None that rests, or that asks for worse, is told.
    """
    if not alerts:
        return []
    whose = Q(organization__in={alert.organization_id for alert in alerts} - {None}) | Q(organization=None)
    channels = list(AlertChannel.objects.using(using).filter(whose, is_active=True, sends_alerts=True))
    _one_after_the_other(alerts, using=using)
    named = _named_channels({alert.threshold_id for alert in alerts if alert.threshold_id}, using=using)
    deliveries: list[AlertDelivery] = []
    told: dict[tuple[int, int], datetime] = {}
    for alert in alerts:
        wanted = named.get(alert.threshold_id or 0)
        for channel in channels:
            if channel.organization_id != alert.organization_id or not _is_bad_enough(alert, channel):
                continue
            if wanted is None or channel.pk in wanted:
                deliveries.append(_delivery(alert, channel, told, now=now, using=using))
    return AlertDelivery.objects.using(using).bulk_create(deliveries)


def _one_after_the_other(alerts: Sequence[BudgetAlert], *, using: str) -> None:
    """Wait for whoever is just writing deliveries of the same thresholds, where a cooldown asks which was the last."""
    cooling = {one.threshold.pk for one in alerts if one.threshold is not None and one.threshold.cooldown_minutes}
    rows = BudgetThreshold.objects.using(using).filter(pk__in=cooling).order_by("pk")
    # Without the key: the alerts that refer to the threshold lock that, and whoever wrote one would wait for itself.
    list(rows.select_for_update(no_key=True).values_list("pk", flat=True) if cooling else [])


def _named_channels(threshold_ids: Iterable[int], *, using: str) -> dict[int, set[int]]:
    """The channels that thresholds name, of those that name any."""
    through = AlertChannel.thresholds.through._default_manager.using(using)
    named: dict[int, set[int]] = {}
    rows = through.filter(budgetthreshold_id__in=threshold_ids).values_list("budgetthreshold_id", "alertchannel_id")
    for threshold_id, channel_id in rows:
        named.setdefault(threshold_id, set()).add(channel_id)
    return named


def _is_bad_enough(alert: BudgetAlert, channel: AlertChannel) -> bool:
    return WORST_LAST.index(Severity(alert.severity)) >= WORST_LAST.index(Severity(channel.min_severity))


def _delivery(
    alert: BudgetAlert, channel: AlertChannel, told: dict[tuple[int, int], datetime], *, now: datetime, using: str
) -> AlertDelivery:
    delivery = AlertDelivery(alert=alert, channel=channel, created_at=now, next_attempt_at=now)
    threshold = alert.threshold
    if threshold is None or not threshold.cooldown_minutes:
        return delivery
    key = (threshold.pk, channel.pk)
    if key not in told:
        earlier = AlertDelivery.objects.using(using).filter(
            alert__threshold=threshold, channel=channel, created_at__lte=now
        )
        last = earlier.exclude(state=AlertDelivery.State.HELD_BACK).order_by("-created_at").first()
        if last is not None:
            told[key] = last.created_at
    if key in told and now - told[key] < timedelta(minutes=threshold.cooldown_minutes):
        delivery.state = AlertDelivery.State.HELD_BACK
    else:
        told[key] = now
    return delivery
