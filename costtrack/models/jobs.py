"""When each recurring job ran last, so that one that has stopped is seen."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class JobRun(models.Model):
    """The last run of one job, whoever ran it: Celery, cron or a person."""

    name = models.CharField(primary_key=True, max_length=50)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        """By name."""

        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        """Which, and when."""
        return f"{self.name} at {self.started_at:%Y-%m-%d %H:%M:%S}"
