"""`manage.py costtrack_schedule`: put costtrack's jobs on django-celery-beat's schedule."""

from __future__ import annotations

import argparse
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError

JOBS = {"costtrack: aggregate costs": ("costtrack.aggregate_costs", 5)}
"""Name on the schedule: (task, default minutes between two runs)."""


class Command(BaseCommand):
    """Create the periodic tasks that are missing; those of the host are left alone."""

    help = (
        "Adds costtrack's periodic tasks to django-celery-beat (every 5 minutes: aggregate_costs). Again = no change: "
        "a schedule that you edited in the admin stays as you left it. Without Celery, run `manage.py aggregate_costs` "
        "from cron instead: */5 * * * *"
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--remove", action="store_true", help="take costtrack's tasks off the schedule")

    def handle(self, *args: Any, **options: Any) -> None:
        """Create what is missing, or remove what is ours."""
        if not apps.is_installed("django_celery_beat"):
            raise CommandError(
                "django_celery_beat is not in INSTALLED_APPS. Install costtrack[celery] and add it, or run "
                "`manage.py aggregate_costs` every few minutes from cron."
            )
        from django_celery_beat.models import IntervalSchedule, PeriodicTask

        if options["remove"]:
            removed, _ = PeriodicTask.objects.filter(name__in=JOBS).delete()
            self.stdout.write(f"Removed {removed} task(s) from the schedule.")
            return
        for name, (task, minutes) in JOBS.items():
            interval, _ = IntervalSchedule.objects.get_or_create(every=minutes, period=IntervalSchedule.MINUTES)
            _, created = PeriodicTask.objects.get_or_create(name=name, defaults={"task": task, "interval": interval})
            self.stdout.write(f"{name}: {f'added, every {minutes} minutes' if created else 'is scheduled already'}")
