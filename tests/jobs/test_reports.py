"""The daily report: each organization's own yesterday, in its own morning, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail

from costtrack.jobs.reports import send_daily_reports
from costtrack.metering.ledger import record_events
from costtrack.models import AlertChannel, Organization, ReportDelivery
from tests.factories import NOON, make_event, make_organization, make_rate

pytestmark = pytest.mark.django_db


def channel(organization: Organization, **fields: Any) -> AlertChannel:
    made = AlertChannel.objects.create(
        organization=organization, name="mail", kind="email", target="team@example.org", sends_reports=True, **fields
    )
    AlertChannel.objects.filter(pk=made.pk).update(created_at=NOON)
    return made


MORNING = datetime(2026, 11, 21, 6, tzinfo=UTC)


def test_yesterday_is_mailed_after_six_once_as_text_and_html() -> None:
    make_rate()
    acme = make_organization(name="Acme <b>")
    channel(acme)
    with time_machine.travel(NOON, tick=False):
        record_events([make_event(attribution={"endpoint": "<script>"}), make_event()])
    assert send_daily_reports(now=MORNING - timedelta(minutes=1)).sent == 0
    assert send_daily_reports(now=MORNING).sent == 1
    assert send_daily_reports(now=MORNING + timedelta(hours=3)).sent == 0
    (message,) = mail.outbox
    assert message.subject == "Acme <b>: Daily Cost Report - 2026-11-20"
    assert "# Daily Cost Report - 2026-11-20" in message.body
    assert "- test-model: $0.009000 (2 calls, 2,200 tokens)" in message.body
    html = message.alternatives[0][0]
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "$0.009000" in html


def test_each_organization_has_its_own_morning() -> None:
    channel(make_organization("tokyo", timezone="Asia/Tokyo"))
    channel(make_organization("berlin", timezone="Europe/Berlin"))
    send_daily_reports(now=datetime(2026, 11, 20, 21, tzinfo=UTC))  # 06:00 of the 21st in Tokyo
    send_daily_reports(now=datetime(2026, 11, 21, 5, tzinfo=UTC))  # 06:00 in Berlin
    assert [message.subject for message in mail.outbox] == [
        "tokyo: Daily Cost Report - 2026-11-20",
        "berlin: Daily Cost Report - 2026-11-20",
    ]


def test_days_that_were_missed_are_sent_late_up_to_three() -> None:
    acme = make_organization()
    channel(acme)
    send_daily_reports(now=MORNING + timedelta(days=9))
    assert [str(day) for day in ReportDelivery.objects.order_by("day").values_list("day", flat=True)] == [
        "2026-11-27",
        "2026-11-28",
        "2026-11-29",
    ]


def test_who_does_not_ask_for_reports_gets_none() -> None:
    acme = make_organization()
    AlertChannel.objects.create(organization=acme, name="alerts", kind="email", target="a@example.org")
    channel(make_organization("resting", is_active=False))
    assert send_daily_reports(now=MORNING).sent == 0
