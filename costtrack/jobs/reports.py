"""The daily report by mail: of each organization's own yesterday, in its own morning, once to each channel."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

from costtrack.alerts.channels.outgoing import Outgoing
from costtrack.alerts.deliver import Delivered, deliver_due
from costtrack.conf import settings
from costtrack.jobs.runs import job_run
from costtrack.models import AlertChannel, Organization, ReportDelivery
from costtrack.reporting.html_report import html_report
from costtrack.reporting.markdown import markdown_report
from costtrack.reporting.report import CostReport, ReportKind, cost_report
from costtrack.reporting.shapes import full_report_shape

DAILY = ReportKind.DAILY
MORNING_HOUR = 6
"""Not before this hour of the organization's day: what processes have spooled overnight has arrived then."""
CATCHES_UP_DAYS = 3
"""So many days are sent late, if the job was away."""


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
    """Write the deliveries of days that are over; whoever else does so at the same time, each is there once."""
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
        days = [today - timedelta(days=back) for back in range(CATCHES_UP_DAYS, 0, -1)]
        deliveries += [
            ReportDelivery(
                organization=organization,
                channel=channel,
                report=DAILY.value,
                day=day,
                created_at=now,
                next_attempt_at=now,
            )
            for day in days
            if day >= first
        ]
    ReportDelivery.objects.using(using).bulk_create(deliveries, ignore_conflicts=True)


def _message(delivery: ReportDelivery) -> Outgoing:
    report = _report(delivery.organization, delivery)
    return Outgoing(
        id=str(delivery.id),
        type="report.daily",
        created_at=delivery.created_at,
        subject=f"{delivery.organization}: {report.title}",
        text=markdown_report(report),
        html=html_report(report),
        data=full_report_shape(report),
    )


def _report(organization: Organization, delivery: ReportDelivery) -> CostReport:
    return cost_report(DAILY, delivery.day, zone=organization.zone_history(), organization=organization)
