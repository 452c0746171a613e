"""`manage.py find_recommendations`: look for what would cost less, for the dashboard to show."""

from __future__ import annotations

import argparse
import json
from typing import Any

from costtrack.jobs.recommendations import look_for_recommendations
from costtrack.management.base import BaseCommand
from costtrack.reporting.recommendations.found import LOOKS_BACK
from costtrack.reporting.wording import counted


class Command(BaseCommand):
    """Keeps what is recommended to each organization."""

    help = (
        f"Looks for what would have cost less in the last {LOOKS_BACK.days} days, for each organization, and keeps it "
        "for the dashboard's page Savings. Run it once a day. `recommend` prints the same of one organization."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Look, say for how many."""
        found = look_for_recommendations()
        text = f"Looked at the usage of {counted(found, 'organization')}."
        self.stdout.write(json.dumps({"organizations": found}) if options["json"] else text)
