"""Recorded usage to webhooks, for billing systems: the ledger's rows in batches, at least once each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from costtrack.alerts.channels.outgoing import Outgoing
from costtrack.alerts.deliver import Delivered, deliver_due
from costtrack.conf import settings
from costtrack.domain.periods import ZoneHistory
from costtrack.models import ResourceUsage, UsageDelivery
from costtrack.models.deliveries import Delivery
from costtrack.reporting.columns import column_shape
from costtrack.reporting.usage_columns import RELATED, USAGE_COLUMNS

KEPT = timedelta(days=7)
"""What was sent is kept so long, so that one can see that it was."""
IN_UTC = ZoneHistory.of("UTC")


def deliver_usage(*, now: datetime | None = None, using: str | None = None) -> Delivered:
    """Send the batches that are due, the oldest first, and clear away what was sent a week ago."""
    alias, instant = using or settings.database, now or timezone.now()
    sent = UsageDelivery.objects.using(alias).filter(state=Delivery.State.SENT)
    sent.filter(sent_at__lt=instant - KEPT).delete()
    return deliver_due(UsageDelivery, _message, now=instant, using=alias)


def _message(delivery: UsageDelivery) -> Outgoing:
    rows = _rows(delivery.usage, using=str(delivery._state.db))
    return Outgoing(
        id=str(delivery.id),
        type="usage.recorded",
        created_at=delivery.created_at,
        subject=f"{len(rows)} recorded",
        text="",
        data={"events": [column_shape(USAGE_COLUMNS, row, zone=IN_UTC) for row in rows]},
    )


def _rows(named: Sequence[tuple[int, str]], *, using: str) -> list[ResourceUsage]:
    """The rows of these ids; their days let the database look into their partitions alone."""
    days = {date.fromisoformat(day) for _, day in named}
    wanted = Q(id__in=[usage_id for usage_id, _ in named], day__in=days)
    rows = ResourceUsage.objects.using(using).filter(wanted).select_related(*RELATED)
    return list(rows.order_by("id"))
