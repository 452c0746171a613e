"""Noting when a job ran, so that one that has stopped is seen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import Error
from django.utils import timezone

from costtrack.conf import settings
from costtrack.models import JobRun
from costtrack.reporting.wording import one_line


@contextmanager
def job_run(name: str) -> Iterator[None]:
    """Note that the job begins, and that it ended or why it failed, which is raised on."""
    rows = JobRun.objects.using(settings.database)
    started_at = timezone.now()
    rows.update_or_create(name=name, defaults={"started_at": started_at})
    try:
        yield
    except Exception as error:
        reason = one_line(f"{type(error).__name__}: {' '.join(str(error).split())}")[:500]
        with suppress(Error):  # where the database is what failed, that is what is raised
            rows.filter(name=name).update(last_error=reason)
        raise
    rows.filter(name=name).update(finished_at=timezone.now(), last_error="")
