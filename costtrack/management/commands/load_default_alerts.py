"""`manage.py load_default_alerts`: alert rules to begin with."""

from __future__ import annotations

import argparse
import json
from typing import Any

from costtrack.alerts.default_rules import RULES, load_default_rules
from costtrack.conf import settings
from costtrack.management.arguments import aligned
from costtrack.management.base import BaseCommand
from costtrack.management.organizations import given_slug, organization_named
from costtrack.models import AlertChannel, Organization


class Command(BaseCommand):
    """Makes the rules that are missing, and says where their alerts go."""

    help = (
        "Makes four alert rules for an organization, as budgets that refuse nothing: a day of 100 USD (warning) and of "
        "500 USD (critical), a conversation of 10 USD and a week of 500 USD (warnings). Again = no change."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "--organization", type=given_slug, metavar="SLUG", help="default: every active organization"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object: organization -> rules made")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make them, print."""
        alias = settings.database
        active = Organization.objects.using(alias).filter(is_active=True).order_by("slug")
        chosen = [organization_named(options["organization"])] if options["organization"] else list(active)
        made = {one.slug: load_default_rules(one, using=alias) for one in chosen}
        if options["json"]:
            self.stdout.write(json.dumps(made))
            return
        if not made:
            self.stdout.write("There is no organization yet: create one in the admin, under Organizations.")
            return
        rows = [("organization", "rule", "at", "severity", "")]
        for slug, names in made.items():
            rows += [
                (
                    slug,
                    rule.name,
                    f"${rule.usd} a {rule.per or rule.period}",
                    str(rule.severity),
                    "made" if rule.name in names else "is there already",
                )
                for rule in RULES
            ]
        self.stdout.write(aligned(rows))
        if not AlertChannel.objects.using(alias).filter(is_active=True, sends_alerts=True).exists():
            self.stdout.write("Nobody is told yet: add a channel in the admin, under Alert channels.")
