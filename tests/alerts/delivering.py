"""What tests of deliveries share: channels, a usage that crosses, a receiver that can be away."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from costtrack.alerts.channels.handlers import alert_handler
from costtrack.alerts.channels.outgoing import Outgoing
from costtrack.metering.ledger import record_events
from costtrack.models import AlertChannel, AlertDelivery, Organization
from tests.factories import NOON, make_event


def channel(
    organization: Organization, name: str, kind: str = "email", target: str = "", **fields: Any
) -> AlertChannel:
    target = target or f"{name}@example.org"
    return AlertChannel.objects.create(organization=organization, name=name, kind=kind, target=target, **fields)


def cross(at: datetime = NOON) -> None:
    record_events([make_event(occurred_at=at)])


def states(name: str) -> list[str]:
    rows = AlertDelivery.objects.filter(channel__name=name)
    return list(rows.order_by("created_at").values_list("state", flat=True))


class Receiver:
    """A handler that fails until it is told not to."""

    def __init__(self, name: str) -> None:
        self.is_away = False
        self.ids: list[str] = []
        alert_handler(name)(self.take)

    def take(self, message: Outgoing, /) -> None:
        self.ids.append(message.id)
        if self.is_away:
            raise ConnectionError("away")
