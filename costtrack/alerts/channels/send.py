"""Sending over a channel, whatever its kind; and checking its settings before it is saved."""

from __future__ import annotations

import logging
from datetime import datetime

from costtrack.alerts.channels.addresses import destination_of
from costtrack.alerts.channels.apprise import send_apprise
from costtrack.alerts.channels.email import addresses_in, send_email
from costtrack.alerts.channels.handlers import send_to_handler
from costtrack.alerts.channels.outgoing import DeliveryFailed, Outgoing
from costtrack.alerts.channels.secrets import check_name, is_named
from costtrack.alerts.channels.webhook import send_webhook
from costtrack.models import AlertChannel

Kind = AlertChannel.Kind

logger = logging.getLogger("costtrack")


def send(channel: AlertChannel, message: Outgoing, *, now: datetime) -> None:
    """Send it now. Raises DeliveryFailed, whatever went wrong."""
    try:
        _send(channel, message, now=now)
    except DeliveryFailed:
        raise
    except Exception as error:  # of a library, or of a receiver that nobody has thought of: the other messages still go
        logger.exception("Message %s could not be sent over %s.", message.id, channel)
        raise DeliveryFailed(f"{type(error).__name__}: an unexpected error, see the log.") from error


def _send(channel: AlertChannel, message: Outgoing, *, now: datetime) -> None:
    if channel.kind == Kind.EMAIL:
        send_email(channel.target, message)
    elif channel.kind == Kind.WEBHOOK:
        send_webhook(channel.target, channel.secret, message, now=now)
    elif channel.kind == Kind.APPRISE:
        send_apprise(channel.target, message)
    else:
        send_to_handler(channel.target, message)


def check_channel(channel: AlertChannel) -> None:
    """Raise DeliveryFailed for settings that can not be right, as far as that is known now."""
    if channel.kind == Kind.EMAIL:
        addresses_in(channel.target)
    elif channel.kind == Kind.APPRISE:
        check_name(channel.target)
    elif channel.kind == Kind.WEBHOOK:
        for secret in channel.secret.split():
            check_name(secret)
        if is_named(channel.target):
            check_name(channel.target)
        else:
            destination_of(channel.target)
