"""The channels that alerts go over, for those who may change them: how each fares, and a test over it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from costtrack.access.principals import Person
from costtrack.access.rows import may_change, right_to_change, rows_granted, rows_of
from costtrack.alerts.channels.outgoing import DeliveryFailed
from costtrack.alerts.send_test import send_test
from costtrack.conf import settings
from costtrack.dashboard.actions import ActionPage
from costtrack.dashboard.addresses import address
from costtrack.dashboard.pages import NotAllowed
from costtrack.dashboard.words import instant_words
from costtrack.domain.periods import ZoneHistory
from costtrack.models import AlertChannel, Organization
from costtrack.reporting.parameters import InvalidParameter
from costtrack.reporting.wording import one_line

CHANNELS_SHOWN = 50
NOT_YOURS = "A test is sent by those who may change the channel: admins of its organization."
Line = dict[str, Any]


def may_test(person: Person) -> bool:
    """Whether there may be channels that the person can try."""
    right = right_to_change(AlertChannel)
    return right is not None and person.has(right)


def channel_lines(person: Person, organization: Organization | None, *, zone: ZoneHistory) -> Sequence[Line]:
    """Those that the person may change, of one organization or of all (a query)."""
    rows = AlertChannel.objects.using(settings.database).select_related("organization")
    rows = rows_granted(rows, person, right_to_change(AlertChannel))
    if organization is not None:
        rows = rows_of(rows, [organization])
    return [_line(one, zone=zone) for one in rows.order_by("name", "id")[:CHANNELS_SHOWN]]


def tested_channel(text: str | None, lines: Sequence[Line]) -> Line | None:
    """The line of the channel that was just tried, which its address names. Raises InvalidParameter."""
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise InvalidParameter("tested", text, "the id of a channel")
    return next((line for line in lines if line["id"] == int(text)), None)


class ChannelTestPage(ActionPage):
    """Send a test over a channel, at once."""

    def done(self) -> str:
        """Try it; the alerts say how it went: the channel keeps that."""
        rows = AlertChannel.objects.using(settings.database).select_related("organization")
        channel: AlertChannel = self.found(rows, pk=self.kwargs["channel_id"])
        if not may_change(self.person, channel):
            raise NotAllowed(NOT_YOURS)
        with suppress(DeliveryFailed):  # the channel keeps it
            send_test(channel, now=self.now)
        slug = None if channel.organization is None else channel.organization.slug
        return f"{address('alerts', organization=slug, tested=str(channel.pk))}#ct-channels"


def _line(channel: AlertChannel, *, zone: ZoneHistory) -> Line:
    failed_at, sent_at = channel.last_error_at, channel.last_sent_at
    is_failing = failed_at is not None and (sent_at is None or sent_at <= failed_at)
    return {
        "id": channel.pk,
        "name": one_line(channel.name),
        "organization": "the site" if channel.organization is None else one_line(str(channel.organization)),
        "kind": channel.get_kind_display(),
        "least": channel.get_min_severity_display() if channel.sends_alerts else "",
        "is_active": channel.is_active,
        "sent": instant_words(sent_at, zone=zone),
        "error": one_line(channel.last_error) if is_failing else "",
        "href": address("test-channel", channel.pk),
    }
