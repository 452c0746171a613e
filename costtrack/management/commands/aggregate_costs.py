"""`manage.py aggregate_costs`: fold, and on request prove or rebuild, the daily summaries."""

from __future__ import annotations

import argparse
import json
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.core.management.base import CommandError

from costtrack.aggregation import Difference, fold_pending, rebuild_summaries, verify_books
from costtrack.alerts.findings.books import raise_books_alert
from costtrack.domain.money import decimal_text
from costtrack.jobs.runs import job_run
from costtrack.management.arguments import iso_day
from costtrack.management.base import BaseCommand
from costtrack.metering.partitions import coming_months, create_partitions


class Command(BaseCommand):
    """Fold what was recorded since the last time into the daily summaries. Run it every few minutes."""

    help = (
        "Folds pending sums into the daily summaries and, on PostgreSQL, makes the ledger's partitions for the coming "
        "three months. With --verify it then proves that the summaries equal the ledger and exits 1 if they do not. "
        "With --rebuild --from D --to D it sums those days again from the ledger. Two at once are safe; reports are "
        "right whether or not it has run."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Keep the examples' line breaks."""
        kwargs["epilog"] = (
            "Examples:\n  manage.py aggregate_costs\n  manage.py aggregate_costs --verify --json\n"
            "  manage.py aggregate_costs --rebuild --from 2026-11-01 --to 2026-11-30"
        )
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "--verify", action="store_true", help="compare all days with the ledger; exit 1 if one differs"
        )
        parser.add_argument("--rebuild", action="store_true", help="sum the days --from to --to again from the ledger")
        parser.add_argument("--from", dest="first", type=iso_day, metavar="DAY", help="first day (YYYY-MM-DD)")
        parser.add_argument("--to", dest="last", type=iso_day, metavar="DAY", help="last day, included")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Fold; then rebuild and verify where asked."""
        first, last = self._days(options)
        started = time.monotonic()
        with job_run("aggregate_costs"):
            report: dict[str, Any] = {"folded": fold_pending()}
        partitions = create_partitions(coming_months(datetime.now(UTC).date()))
        report["partitions_created"] = [f"{month:%Y-%m}" for month in partitions.created]
        report["partitions_blocked"] = [f"{month:%Y-%m}" for month in partitions.blocked]
        if first and last:
            report["rebuilt_rows"] = rebuild_summaries(start=first, end=last + timedelta(days=1))
        differences: list[Difference] = []
        if options["verify"]:
            with job_run("verify_books"):
                differences = verify_books()
                raise_books_alert(differences)
            report["verified"] = not differences
            report["differences"] = [_as_json(difference) for difference in differences]
        report["seconds"] = round(time.monotonic() - started, 3)
        self.stdout.write(json.dumps(report) if options["json"] else _as_text(report))
        if differences:
            raise CommandError(
                f"{len(differences)} difference(s) between summaries and ledger. {_advice(differences)}",
                returncode=1,
            )

    @staticmethod
    def _days(options: dict[str, Any]) -> tuple[date | None, date | None]:
        first, last = options["first"], options["last"]
        if options["rebuild"] and not (first and last):
            raise CommandError("--rebuild needs both --from DAY and --to DAY.")
        if not options["rebuild"] and (first or last):
            raise CommandError("--from and --to go with --rebuild.")
        if first and last and last < first:
            raise CommandError(f"--to {last} lies before --from {first}.")
        return first, last


def _advice(differences: list[Difference]) -> str:
    if any(difference.ledger_minus_summary.get("calls", 0) < 0 for difference in differences):
        return (
            "The ledger holds fewer calls than the summaries: find out first whether ledger rows were deleted, because "
            "a rebuild would only hide it."
        )
    return "Rebuild the days that differ: manage.py aggregate_costs --rebuild --from DAY --to DAY"


def _as_json(difference: Difference) -> dict[str, Any]:
    return {
        "grain": difference.grain,
        "day": difference.day.isoformat(),
        "dimensions": difference.dimensions,
        "ledger_minus_summary": {name: decimal_text(by) for name, by in difference.ledger_minus_summary.items()},
    }


def _as_text(report: dict[str, Any]) -> str:
    lines = [f"Folded {report['folded']:,} pending summary rows."]
    if report["partitions_created"]:
        lines.append(f"Created ledger partitions: {', '.join(report['partitions_created'])}.")
    if report["partitions_blocked"]:
        lines.append(
            f"The default partition holds rows of {', '.join(report['partitions_blocked'])}; "
            "move them with: manage.py partition_usage --move-default-rows"
        )
    if "rebuilt_rows" in report:
        lines.append(f"Rebuilt {report['rebuilt_rows']:,} summary rows from the ledger.")
    if report.get("verified"):
        lines.append("Verified: the summaries equal the ledger, on every day and in every dimension.")
    for difference in report.get("differences", []):
        dimensions = ", ".join(f"{name}={value}" for name, value in difference["dimensions"].items() if value)
        differs = ", ".join(f"{name} {by}" for name, by in difference["ledger_minus_summary"].items())
        lines.append(
            f"DIFFERS {difference['day']} ({difference['grain']} grain; {dimensions}): ledger - summary: {differs}"
        )
    return "\n".join(lines)
