"""A message that says that a channel works."""

from __future__ import annotations

import uuid
from datetime import datetime

from costtrack.alerts.channels.outgoing import DeliveryFailed, Outgoing
from costtrack.alerts.channels.send import send
from costtrack.models import AlertChannel


def send_test(channel: AlertChannel, *, now: datetime) -> None:
    """Send it at once, and note on the channel how it went. Raises DeliveryFailed."""
    where = channel.organization.slug if channel.organization else "costtrack"
    message = Outgoing(
        id=str(uuid.uuid4()),
        type="test",
        created_at=now,
        subject=f"[test] {where}: this channel works",
        text=f"This is a test of the alert channel {channel.name} of {where}. Nothing is wrong.",
        data={"organization": where, "channel": channel.name},
    )
    rows = AlertChannel.objects.using(channel._state.db).filter(pk=channel.pk)
    try:
        send(channel, message, now=now)
    except DeliveryFailed as error:
        rows.update(last_error=str(error), last_error_at=now)
        raise
    rows.update(last_sent_at=now)
