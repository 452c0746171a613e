"""`manage.py cost_report`: what a day, a week or a month cost."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from costtrack.management.base import BaseCommand
from costtrack.management.organizations import organization_named
from costtrack.reporting.full_report import full_report
from costtrack.reporting.full_report_shapes import whole_report_shape
from costtrack.reporting.html_report import html_report
from costtrack.reporting.markdown import markdown_report
from costtrack.reporting.parameters import AN_ORGANIZATION, InvalidParameter, parse_day, parse_text
from costtrack.reporting.report import CostReport, ReportKind
from costtrack.reporting.table import table_report
from costtrack.reporting.zones import reporting_zone


def json_report(report: CostReport) -> str:
    """The report as JSON; money is decimal strings."""
    return json.dumps(whole_report_shape(report), indent=2, ensure_ascii=False) + "\n"


def html_page(report: CostReport) -> str:
    """The report as HTML, with a line break at its end."""
    return f"{html_report(report)}\n"


RENDERERS = {"markdown": markdown_report, "html": html_page, "json": json_report, "table": table_report}


class Command(BaseCommand):
    """Prints the cost report of a period."""

    help = (
        "Prints what a day, a week (from Monday) or a calendar month cost: totals, costs by model, by endpoint and by "
        "agent, the dearest first; budgets, alerts, plans, and where the period will end. "
        "Example: manage.py cost_report monthly --date 2023-11-16 --organization acme"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The period, the day in it, the organization, the format."""
        parser.add_argument(
            "period", choices=[kind.value for kind in ReportKind], help="how long a period to report on"
        )
        parser.add_argument(
            "--date",
            metavar="YYYY-MM-DD",
            help="any day of the period (default: today, in the time zone of the organization)",
        )
        parser.add_argument(
            "--organization",
            metavar="SLUG",
            help="only this organization (default: all together, each by its own local days)",
        )
        parser.add_argument(
            "--format",
            choices=list(RENDERERS),
            default="markdown",
            help="markdown (default), html, table for a terminal, or json with exact decimal strings",
        )

    def handle(self, **options: Any) -> None:
        """Parse, read, print."""
        try:
            day = None if options["date"] is None else parse_day("--date", options["date"])
            slug = options["organization"]
            if slug is not None:
                parse_text("--organization", slug, expected=AN_ORGANIZATION)
        except InvalidParameter as error:
            raise CommandError(str(error)) from None
        organization = None if slug is None else organization_named(slug)
        zone = reporting_zone(organization)
        now = timezone.now()
        report = full_report(
            ReportKind(options["period"]),
            zone.day_of(now) if day is None else day,
            zone=zone,
            now=now,
            organization=organization,
        )
        self.stdout.write(RENDERERS[options["format"]](report), ending="")
