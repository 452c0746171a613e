"""`manage.py costtrack_doctor`: is everything well, and if not, what to do."""

from __future__ import annotations

import argparse
import json
from typing import Any

from django.core.management.base import CommandError

from costtrack.management.base import BaseCommand
from costtrack.management.doctor import Finding, Verdict, examine
from costtrack.metering.health import metering_health


class Command(BaseCommand):
    """Examine settings, database, spool, rates, summaries, partitions, jobs and channels."""

    help = (
        "Looks at everything that metering needs: settings, database, spool, dead letters, rates, summaries, "
        "partitions; and at the jobs and the alert channels. It changes nothing. Each line is ok, a warning or a "
        "problem, and says what to do. Exit status 1 if there is a problem. The proof of the books is "
        "`manage.py aggregate_costs --verify`."
    )
    requires_system_checks: list[str] = []  # what is wrong is shown, and not fatal

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Examine and show."""
        health = metering_health()
        findings = examine(health)
        if options["json"]:
            shown = [{"about": one.about, "verdict": one.verdict.value, "text": one.text} for one in findings]
            self.stdout.write(json.dumps({"findings": shown, "metering": health.as_json()}))
        else:
            for finding in findings:
                self.stdout.write(self._line(finding))
        problems = sum(one.verdict is Verdict.PROBLEM for one in findings)
        if problems:
            raise CommandError(f"{problems} problem(s): see above.", returncode=1)

    def _line(self, finding: Finding) -> str:
        styles = {
            Verdict.OK: self.style.SUCCESS,
            Verdict.WARNING: self.style.WARNING,
            Verdict.PROBLEM: self.style.ERROR,
        }
        return f"{styles[finding.verdict](f'{finding.verdict.value:<8}')} {finding.about:<10} {finding.text}"
