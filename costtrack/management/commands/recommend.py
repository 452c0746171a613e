"""`manage.py recommend`: what would cost less, each with its saving and how that was worked out."""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from costtrack.conf import settings
from costtrack.domain.money import format_usd
from costtrack.domain.periods import DayRange
from costtrack.management.arguments import aligned, iso_day
from costtrack.management.base import BaseCommand
from costtrack.management.organizations import given_slug, organization_named, project_named
from costtrack.reporting.recommendations import Recommendation, recommendations, savings_by_kind
from costtrack.reporting.recommendations.shapes import recommendations_shape
from costtrack.reporting.wording import one_line

DAYS = 30
WIDTH = 110
NOTHING = "Nothing to recommend for these days."
NO_TOTAL = "Savings of different kinds may be about the same calls: do not add them up."


class Command(BaseCommand):
    """Shows recommendations. Changes nothing."""

    help = (
        "Shows what the usage of an organization suggests to change, the largest saving first: cheaper models for "
        "short answers, prompt caching, batches, failures and retries that cost, idle GPU reservations, agents near "
        "their limits. Each says how its saving was worked out, and on what condition. "
        f"By default of the last {DAYS} days."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "--organization", type=given_slug, metavar="SLUG", help="whose usage (default: the default organization)"
        )
        parser.add_argument("--project", type=given_slug, metavar="SLUG", help="only this project's")
        parser.add_argument("--from", dest="first", type=iso_day, metavar="DAY", help="first day")
        parser.add_argument(
            "--to", dest="last", type=iso_day, metavar="DAY", help="last day, included (default: today)"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object; amounts are exact strings")

    def handle(self, *args: Any, **options: Any) -> None:
        """Parse, ask, print."""
        organization = organization_named(options["organization"] or settings.default_organization)
        zone = organization.zone_history()
        last = options["last"] or zone.day_of(timezone.now())
        first = options["first"] or last - timedelta(days=DAYS - 1)
        if last < first:
            raise CommandError(f"--to {last} lies before --from {first}.")
        days = DayRange(first, last + timedelta(days=1))
        project = None if options["project"] is None else project_named(organization, options["project"])
        found = recommendations(organization, start=days.start, end=days.end, project=project)
        if options["json"]:
            self.stdout.write(json.dumps(recommendations_shape(found, days=days, zone=zone)))
        else:
            self.stdout.write(_as_text(found) if found else NOTHING)


def _as_text(found: Sequence[Recommendation]) -> str:
    rows = [("", "kind", "saving", "what to do")]
    for number, one in enumerate(found, start=1):
        saving = "-" if one.saving_usd is None else format_usd(one.saving_usd)
        rows.append((f"{number}.", one.kind.value, saving, one_line(one.title)))
    lines = [aligned(rows, numbers=frozenset({0, 2}))]
    for number, one in enumerate(found, start=1):
        words = f"{number}. {one_line(one.explanation)} {one_line(one.condition)} Confidence: {one.confidence.value}."
        lines += ["", textwrap.fill(words, WIDTH, subsequent_indent="   ")]
    sums = [f"{kind.value} {format_usd(saving)}" for kind, saving in savings_by_kind(found).items()]
    if sums:
        lines += ["", f"By kind: {', '.join(sums)}. {NO_TOTAL}"]
    return "\n".join(lines)
