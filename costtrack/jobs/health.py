"""How jobs and deliveries fare, for `costtrack_doctor` and for monitoring."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db.models import Count, F, Q

from costtrack.jobs.schedule import JOBS
from costtrack.models import AlertChannel, AlertDelivery, JobRun, ReportDelivery, UsageDelivery
from costtrack.models.deliveries import Delivery
from costtrack.reporting.wording import counted, one_line

LATE_AFTER = 10
"""So many of its intervals a job may be away before that is told."""
OUTBOXES = (AlertDelivery, ReportDelivery, UsageDelivery)


def late_jobs(*, now: datetime, using: str) -> list[str]:
    """Jobs that have run once and do not any more, or fail each time; one that never ran is not wanted here."""
    runs = {run.name: run for run in JobRun.objects.using(using)}
    found = []
    for job in JOBS:
        run = runs.get(job.name)
        if run is None or now - (run.finished_at or run.started_at) <= LATE_AFTER * job.interval:
            continue
        last = f"since {run.finished_at:%Y-%m-%d %H:%M} UTC" if run.finished_at else "ever"
        why = f" Its last error: {run.last_error}" if run.last_error else ""
        found.append(
            f"The job {job.name} has not ended well {last}: run `manage.py {job.command}`, and see to it that Celery "
            f"beat or cron does.{why}"
        )
    return found


def delivery_problems(*, using: str) -> list[str]:
    """Channels that do not work, and what was given up."""
    return [*_channels(using), *_dead(using)]


def _channels(using: str) -> Iterator[str]:
    is_failing = Q(last_error_at__isnull=False) & (Q(last_sent_at=None) | Q(last_sent_at__lte=F("last_error_at")))
    rows = AlertChannel.objects.using(using).filter(is_failing, is_active=True).select_related("organization")
    for channel in rows:
        yield f"The last attempt over the channel {_named(channel)} failed: {one_line(channel.last_error)}"


def _dead(using: str) -> Iterator[str]:
    for model in OUTBOXES:
        dead = model._default_manager.using(using).filter(state=Delivery.State.DEAD, channel__is_active=True)
        counts = dict(dead.order_by().values_list("channel").annotate(Count("pk")))
        channels = AlertChannel.objects.using(using).select_related("organization").in_bulk(list(counts))
        for key, channel in sorted(channels.items()):
            name = str(model._meta.verbose_name)
            plural = str(model._meta.verbose_name_plural)
            what = counted(counts[key], name) if counts[key] == 1 else f"{counts[key]:,} {plural}"
            yield (
                f"Over the channel {_named(channel)} {what} could not be sent and was given up: mend the channel, "
                f"then try them again in the admin, under {plural.capitalize()}."
            )


def _named(channel: AlertChannel) -> str:
    whose = channel.organization.slug if channel.organization else "the site"
    return f"{one_line(channel.name)!r} of {whose}"
