"""`manage.py find_alerts`: look for what people have to be told besides budgets."""

from __future__ import annotations

import argparse
import json
from typing import Any

from costtrack.jobs.watch import find_alerts
from costtrack.management.base import BaseCommand
from costtrack.reporting.wording import counted


class Command(BaseCommand):
    """Raises alerts about models without a price, unusual days, metering that needs somebody, old prices."""

    help = (
        "Raises alerts about models that are used without a price, days that cost far more than the 28 before them, "
        "usage that does not reach the ledger from this machine, and prices that are old. Each is raised once. Run it "
        "every hour; `deliver_alerts` sends them."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Look, say how many are new."""
        raised = find_alerts()
        self.stdout.write(json.dumps({"alerts": raised}) if options["json"] else f"Raised {counted(raised, 'alert')}.")
