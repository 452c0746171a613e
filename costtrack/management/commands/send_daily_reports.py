"""`manage.py send_daily_reports`: mail each organization's yesterday, week or month, in its own morning."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from costtrack.jobs.reports import send_daily_reports
from costtrack.management.base import BaseCommand


class Command(BaseCommand):
    """Sends the reports that are due, each once. Run it every hour."""

    help = (
        "Mails the cost report of yesterday, last week or last month to every channel that sends reports, as it asks "
        "for, after six in the morning of its organization's time zone, each once; what was missed is sent up to three "
        "days late. Run it every hour."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Send, say how it went."""
        done = send_daily_reports()
        text = f"Sent {done.sent}, to be tried again {done.failed}, given up {done.dead}."
        self.stdout.write(json.dumps(asdict(done)) if options["json"] else text)
