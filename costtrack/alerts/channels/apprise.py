"""Slack, Teams, PagerDuty and 100 more by apprise, where it is installed: `pip install "costtrack[apprise]"`."""

from __future__ import annotations

from costtrack.alerts.channels.outgoing import DeliveryFailed, Outgoing
from costtrack.alerts.channels.secrets import secret_value

TYPES = {"info": "info", "warning": "warning", "critical": "failure"}


def send_apprise(target: str, message: Outgoing) -> None:
    """To the URL that the variable holds: such a URL is a secret, so the database only has the variable's name."""
    url = secret_value(target)
    try:
        import apprise
    except ImportError:
        raise DeliveryFailed('apprise is not installed: pip install "costtrack[apprise]".') from None
    sender = apprise.Apprise()
    if not sender.add(url):
        raise DeliveryFailed(f"{target}: apprise does not know such a URL.")
    # Without a receiver it answers NOMATCH, which is no failure by itself; so only success counts.
    result = sender.notify(body=message.text, title=message.subject, notify_type=TYPES[message.severity])
    if not result:
        raise DeliveryFailed(f"{target}: apprise could not deliver it; its log says why.")
