"""Cost reports by mail: of each organization's own day, week or month that is over, in its own morning, once."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

from costtrack.alerts.channels.outgoing import Outgoing
from costtrack.alerts.deliver import Delivered, deliver_due
from costtrack.conf import settings
from costtrack.jobs.runs import job_run
from costtrack.models import AlertChannel, ReportDelivery
from costtrack.reporting.full_report import full_report
from costtrack.reporting.full_report_shapes import whole_report_shape
from costtrack.reporting.html_report import html_report
from costtrack.reporting.markdown import markdown_report
from costtrack.reporting.report import RANGES, ReportKind

MORNING_HOUR = 6
"""Not before this hour of the organization's day: what processes have spooled overnight has arrived then."""
CATCHES_UP_DAYS = 3
"""What ended at most so many days ago is sent late, if the job was away."""


def send_daily_reports(*, now: datetime | None = None, using: str | None = None) -> Delivered:
    """Send the reports that are due, and those that could not be sent before."""
    alias, instant = using or settings.database, now or timezone.now()
    with job_run("daily_report"):
        _plan(now=instant, using=alias)
        return deliver_reports(now=instant, using=alias)


def deliver_reports(*, now: datetime | None = None, using: str | None = None) -> Delivered:
    """Send what is planned and due: so those that could not be sent do not wait for the next hour."""
    alias, instant = using or settings.database, now or timezone.now()
    return deliver_due(ReportDelivery, _message, now=instant, using=alias, related=["organization"])


def _plan(*, now: datetime, using: str) -> None:
    """Write the deliveries of periods that are over; whoever else does so at the same time, each is there once."""
    channels = AlertChannel.objects.using(using).filter(
        is_active=True, sends_reports=True, organization__is_active=True
    )
    deliveries = []
    for channel in channels.select_related("organization"):
        organization = channel.organization
        assert organization is not None
        zones = organization.zone_history()
        if now.astimezone(zones.zone_at(now)).hour < MORNING_HOUR:
            continue
        today, first = zones.day_of(now), zones.day_of(channel.created_at)
        kind = ReportKind(channel.report_period)
        for back in range(CATCHES_UP_DAYS, 0, -1):
            last_day = today - timedelta(days=back)
            days = RANGES[kind](last_day)
            if last_day >= first and days.end == last_day + timedelta(days=1):
                deliveries.append(
                    ReportDelivery(
                        organization=organization,
                        channel=channel,
                        report=kind.value,
                        day=days.start,
                        created_at=now,
                        next_attempt_at=now,
                    )
                )
    ReportDelivery.objects.using(using).bulk_create(deliveries, ignore_conflicts=True)


def _message(delivery: ReportDelivery) -> Outgoing:
    organization, kind = delivery.organization, ReportKind(delivery.report)
    zone = organization.zone_history()
    report = full_report(kind, delivery.day, zone=zone, now=timezone.now(), organization=organization)
    return Outgoing(
        id=str(delivery.id),
        type=f"report.{kind}",
        created_at=delivery.created_at,
        subject=f"{organization}: {report.title}",
        text=markdown_report(report),
        html=html_report(report),
        data=whole_report_shape(report),
    )
