"""`manage.py setup_cost_schedules`: put costtrack's jobs on django-celery-beat's schedule, and print a crontab."""

from __future__ import annotations

import argparse
from typing import Any

from django.apps import apps
from django.db import transaction

from costtrack.jobs.schedule import JOBS, Job, crontab
from costtrack.management.arguments import aligned
from costtrack.management.base import BaseCommand

PREFIX = "costtrack: "
"""How the names of our periodic tasks begin; no other row is ever touched."""
HOW = "Without Celery the same jobs run from cron:\n\n{crontab}"


class Command(BaseCommand):
    """Creates or updates our periodic tasks; those of the host are left alone."""

    help = (
        "Puts costtrack's jobs on the schedule of django-celery-beat, or brings them up to date there, and prints the "
        "crontab that does the same without Celery. Again = no change. A task that you disabled stays so."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--remove", action="store_true", help="take costtrack's tasks off the schedule")
        parser.add_argument("--crontab", action="store_true", help="print the crontab alone, and change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        """Create, update or remove; print."""
        if options["crontab"]:
            self.stdout.write(crontab())
        elif not apps.is_installed("django_celery_beat"):
            self.stdout.write(
                "django_celery_beat is not in INSTALLED_APPS, so nothing is scheduled. Install costtrack[celery] and "
                f"add it, or use cron.\n\n{HOW.format(crontab=crontab())}"
            )
        elif options["remove"]:
            self.stdout.write(f"Removed {_remove()} task(s) from the schedule.")
        else:
            rows = [("job", "runs", "")] + [(job.task, _times(job), _put(job)) for job in JOBS]
            gone = _remove(but=[PREFIX + job.name for job in JOBS])
            self.stdout.write(aligned(rows))
            if gone:
                self.stdout.write(f"Removed {gone} of an earlier version.")
            self.stdout.write("\n" + HOW.format(crontab=crontab()))


def _times(job: Job) -> str:
    return f"every {job.seconds} s" if job.seconds else f"at {job.cron} (UTC)"


@transaction.atomic
def _put(job: Job) -> str:
    """Create or update one; what was done, in a word."""
    from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

    interval = crontab_schedule = None  # neither table has a unique key: the host's may be there twice
    if job.seconds:
        times = {"every": job.seconds, "period": IntervalSchedule.SECONDS}
        interval = IntervalSchedule.objects.filter(**times).first() or IntervalSchedule.objects.create(**times)
    else:
        minute, hour, day, month, weekday = job.cron.split()
        when = {"minute": minute, "hour": hour, "day_of_month": day, "month_of_year": month, "day_of_week": weekday}
        rows = CrontabSchedule.objects.filter(**when, timezone="UTC")
        crontab_schedule = rows.first() or CrontabSchedule.objects.create(**when, timezone="UTC")
    name = PREFIX + job.name
    wanted = {
        "task": job.task,
        "interval": interval,
        "crontab": crontab_schedule,
        "description": job.about,
        # One that could not run in time, since the worker was away, need not run twice in a row.
        "expire_seconds": job.seconds or 3600,
    }
    task, is_new = PeriodicTask.objects.get_or_create(name=name, defaults=wanted)
    if is_new:
        return "added"
    changed = [field for field, value in wanted.items() if getattr(task, field) != value]
    for field in changed:
        setattr(task, field, wanted[field])
    if changed:
        task.save()
    return ("updated" if changed else "is there already") + ("" if task.enabled else ", disabled")


def _remove(*, but: list[str] | None = None) -> int:
    from django_celery_beat.models import PeriodicTask

    rows = PeriodicTask.objects.filter(name__startswith=PREFIX, task__startswith="costtrack.").exclude(
        name__in=but or []
    )
    count = 0
    for task in rows:
        task.delete()  # one by one: each tells beat
        count += 1
    return count
