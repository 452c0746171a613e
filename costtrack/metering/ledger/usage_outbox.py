"""What was recorded, for the webhooks that ask for it: named in the outbox by the transaction that recorded it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime

from django.db import connections
from django.db.models import Q

from costtrack.models import AlertChannel, UsageDelivery

MOST_PER_DELIVERY = 200
"""So that a body stays below some 300 kB."""


def add_usage_deliveries(rows: Mapping[int, Iterable[tuple[int, date]]], *, using: str) -> None:
    """Name these rows, (id, day) by organization, for each channel that sends usage (a query, three if one does).

    A channel of an organization gets its own rows, one of the site those of all.
    """
    if not rows:
        return
    wanted = AlertChannel.objects.using(using).filter(is_active=True, sends_usage=True)
    wanted = wanted.filter(Q(organization=None) | Q(organization__in=rows)).order_by("pk")
    channels = _kept(list(wanted), using=using)
    now = datetime.now(UTC)
    deliveries = []
    for channel in channels:
        chosen = [channel.organization_id] if channel.organization_id is not None else sorted(rows)
        named = [[usage_id, day.isoformat()] for key in chosen for usage_id, day in rows[key]]
        deliveries += [
            UsageDelivery(
                channel=channel, usage=named[start : start + MOST_PER_DELIVERY], created_at=now, next_attempt_at=now
            )
            for start in range(0, len(named), MOST_PER_DELIVERY)
        ]
    if deliveries:
        UsageDelivery.objects.using(using).bulk_create(deliveries)


def _kept(channels: list[AlertChannel], *, using: str) -> list[AlertChannel]:
    """Those that are there still. Who deletes one waits for the commit: else that failed, and the usage with it."""
    connection = connections[using]
    if not channels or connection.vendor != "postgresql":  # SQLite's writers wait for one another anyhow
        return channels
    table = connection.ops.quote_name(AlertChannel._meta.db_table)
    with connection.cursor() as cursor:
        ids = [channel.pk for channel in channels]
        cursor.execute(f"SELECT id FROM {table} WHERE id = ANY(%s) ORDER BY id FOR KEY SHARE", [ids])
        there = {key for (key,) in cursor.fetchall()}
    return [channel for channel in channels if channel.pk in there]
