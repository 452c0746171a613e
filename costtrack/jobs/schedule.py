"""Which job runs how often, for Celery beat and for cron alike."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple


class Job(NamedTuple):
    """One recurring job."""

    task: str
    """Of Celery."""
    command: str
    """The same from cron."""
    cron: str
    """Minute, hour, day, month, weekday, in UTC; cron knows no less than a minute."""
    seconds: int | None = None
    """Every so many seconds; None: at the times of `cron`."""
    about: str = ""

    @property
    def name(self) -> str:
        """What its runs are noted under."""
        return self.task.removeprefix("costtrack.")

    @property
    def interval(self) -> timedelta:
        """How often it runs: `seconds`, or an hour, or where the hour is set, a day."""
        if self.seconds:
            return timedelta(seconds=self.seconds)
        return timedelta(hours=1) if self.cron.split()[1] == "*" else timedelta(days=1)


JOBS = (
    Job("costtrack.aggregate_costs", "aggregate_costs", "* * * * *", 30, "fold what was recorded"),
    Job("costtrack.check_budgets", "check_budgets", "* * * * *", 30, "end expired holds, look at thresholds"),
    Job("costtrack.deliver_alerts", "deliver_alerts", "* * * * *", 30, "send what is due"),
    Job("costtrack.flush_usage", "flush_usage", "*/5 * * * *", 300, "book what dead processes left"),
    Job("costtrack.find_alerts", "find_alerts", "7 * * * *", None, "prices that are missing, unusual days, metering"),
    Job("costtrack.daily_report", "send_daily_reports", "12 * * * *", None, "of each organization's morning"),
    Job("costtrack.find_recommendations", "find_recommendations", "52 2 * * *", None, "what would cost less"),
    Job("costtrack.partition_usage", "partition_usage", "23 2 * * *", None, "the ledger's coming months"),
    Job("costtrack.verify_books", "aggregate_costs --verify", "41 3 * * *", None, "prove the books"),
)


def crontab() -> str:
    """The lines of a crontab, of which `cd` and the Python are the host's."""
    return "\n".join(f"{job.cron:<14} cd /path/to/site && .venv/bin/python manage.py {job.command}" for job in JOBS)
