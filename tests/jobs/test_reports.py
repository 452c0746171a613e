"""The daily report: each organization's own yesterday, in its own morning, once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
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


def test_a_week_is_mailed_on_monday_and_a_month_on_its_first_once() -> None:
    make_rate()
    acme = make_organization()
    channel(acme, report_period="weekly")
    with time_machine.travel(NOON, tick=False):  # a Friday
        record_events([make_event()])
    saturday, monday = MORNING, MORNING + timedelta(days=2)
    assert send_daily_reports(now=saturday).sent == 0
    assert send_daily_reports(now=monday).sent == 1
    assert send_daily_reports(now=monday + timedelta(days=1)).sent == 0
    AlertChannel.objects.update(report_period="monthly")
    assert send_daily_reports(now=datetime(2026, 11, 30, 7, tzinfo=UTC)).sent == 0
    assert send_daily_reports(now=datetime(2026, 12, 3, 7, tzinfo=UTC)).sent == 1  # two days late
    assert [message.subject for message in mail.outbox] == [
        "acme: Weekly Cost Report - 2026-11-16",
        "acme: Monthly Cost Report - 2026-11",
    ]
    assert all("- test-model: $0.004500 (1 call, 1,100 tokens)" in message.body for message in mail.outbox)
    assert list(ReportDelivery.objects.order_by("day").values_list("report", "day")) == [
        ("monthly", date(2026, 11, 1)),
        ("weekly", date(2026, 11, 16)),
    ]


def test_what_was_over_before_there_was_a_channel_is_not_sent() -> None:
    acme = make_organization()
    channel(acme, report_period="weekly")  # made on Friday the 20th
    assert send_daily_reports(now=datetime(2026, 11, 17, 7, tzinfo=UTC)).sent == 0


def test_a_mail_has_the_sections_of_a_whole_report() -> None:
    channel(make_organization())
    send_daily_reports(now=MORNING)
    (message,) = mail.outbox
    html = message.alternatives[0][0]
    for heading in ("Top Agents", "Budgets", "Alerts", "Plan Variance", "Forecast"):
        assert f"\n## {heading}\n" in message.body
        assert f"<h2>{heading}</h2><ul><li>" in html
