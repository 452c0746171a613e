"""How metering, jobs and deliveries fare, on the machine that answers; for superusers."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from costtrack.conf import settings
from costtrack.dashboard.pages import NotAllowed, Page
from costtrack.dashboard.words import instant_words
from costtrack.jobs.health import delivery_problems, late_jobs
from costtrack.jobs.schedule import JOBS
from costtrack.metering.health import metering_health
from costtrack.models import DailyCostSummary, JobRun, ResourceUsage
from costtrack.models.summaries import PENDING
from costtrack.reporting.wording import one_line

MOST_COUNTED = 50_000
"""Sums that wait; so many do where no job folds them."""


class HealthPage(Page):
    """The same as the API's `health`, for people."""

    name = "health"
    heading = "Health"
    template_name = "costtrack/dashboard/health.html"
    is_live = True

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Superusers': it is of the machine, and may name any organization."""
        if not self.person.is_superuser:
            raise NotAllowed("How the machine fares is shown to superusers.")
        return super().get(request, *args, **kwargs)

    def content(self) -> dict[str, Any]:
        """What is wrong, then the figures."""
        health = metering_health()
        shown = health.as_json()
        problems = [
            *health.problems,
            *late_jobs(now=self.now, using=settings.database),
            *delivery_problems(using=settings.database),
        ]
        runs = {run.name: run for run in JobRun.objects.using(settings.database)}
        return {
            "problems": problems,
            "has_jobs": bool(runs),
            "books": self._books(),
            "metering": [
                ("Transport", health.transport),
                ("Waiting to be booked", f"{health.spool.unbooked_bytes:,} bytes"),
                ("Oldest of it", f"{health.spool.oldest_unflushed_seconds:,.0f} s"),
                ("Dead letters in the file", f"{health.dead_letters:,}"),
                *((name.replace("_", " ").capitalize(), f"{value:,}") for name, value in health.counters.items()),
            ],
            "subscribers": shown["subscribers"],
            "jobs": [self._job(job.name, job.command, job.about, runs.get(job.name)) for job in JOBS],
        }

    def _books(self) -> list[tuple[str, str]]:
        """Of the database, whoever wrote it: when the ledger grew last, and how far the summaries are behind."""
        last = ResourceUsage.objects.using(settings.database).order_by("-id").values_list("recorded_at", flat=True)
        waiting = DailyCostSummary.all_grains.using(settings.database).filter(grain=PENDING)
        count = waiting[: MOST_COUNTED + 1].count()
        return [
            ("Recorded last", instant_words(last.first(), zone=self.zone)),
            ("Sums to be folded", f"{count:,}" if count <= MOST_COUNTED else f"over {MOST_COUNTED:,}"),
        ]

    def _job(self, name: str, command: str, about: str, run: JobRun | None) -> dict[str, str]:
        return {
            "name": name,
            "command": f"manage.py {command}",
            "about": about,
            "ended": "never ran" if run is None else instant_words(run.finished_at, zone=self.zone),
            "error": "" if run is None else one_line(run.last_error) if run.last_error else "",
        }
