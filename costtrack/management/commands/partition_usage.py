"""`manage.py partition_usage`: monthly partitions of the ledger, ahead of time."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import CommandError
from django.db import connections

from costtrack.conf import settings
from costtrack.jobs.runs import job_run
from costtrack.management.base import BaseCommand
from costtrack.metering.partitions import coming_months, create_partitions, default_partition_months


class Command(BaseCommand):
    """Make the partitions of the coming months, and clear the default partition."""

    help = (
        "Makes the ledger's monthly partitions for this month and the coming ones (PostgreSQL; aggregate_costs does "
        "so too). With --move-default-rows it also moves the rows of the default partition into months of their own, "
        "under a lock that holds off readers and writers while it works: choose a quiet hour."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--months", type=int, default=3, help="how many months ahead (default 3, at most 120)")
        parser.add_argument("--move-default-rows", action="store_true", help="empty the default partition")

    def handle(self, *args: Any, **options: Any) -> None:
        """Create, move, say what was done."""
        if not 0 <= options["months"] <= 120:
            raise CommandError(f"--months: got {options['months']}, expected 0 to 120.")
        if connections[settings.database].vendor != "postgresql":
            self.stdout.write("This database has no partitions: nothing to do.")
            return
        days = coming_months(datetime.now(UTC).date(), options["months"])
        if options["move_default_rows"]:
            days += default_partition_months()
        with job_run("partition_usage"):
            report = create_partitions(days, move_default_rows=options["move_default_rows"])
        created = ", ".join(f"{month:%Y-%m}" for month in report.created) or "none was missing"
        self.stdout.write(
            f"Created {len(report.created)} partition(s): {created}. "
            f"Moved {report.moved_rows:,} row(s) out of the default partition."
        )
        if report.blocked:
            raise CommandError(
                f"The default partition holds rows of {', '.join(f'{m:%Y-%m}' for m in report.blocked)}; "
                "run again with --move-default-rows."
            )
