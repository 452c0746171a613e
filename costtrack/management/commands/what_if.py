"""`manage.py what_if`: what usage would have cost on another model, or by another rate card."""

from __future__ import annotations

import argparse
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from costtrack.exceptions import CostTrackError
from costtrack.management.arguments import iso_day
from costtrack.management.base import BaseCommand
from costtrack.management.organizations import given_slug, organization_named
from costtrack.management.what_if_display import what_if_table
from costtrack.reporting.parameters import parse_moment
from costtrack.reporting.what_if.ask import what_if
from costtrack.reporting.what_if.scope import SCOPE_NAMES
from costtrack.reporting.what_if.shapes import what_if_shape
from costtrack.reporting.zones import reporting_zone

OPTION_OF = {"model": "of-model", "provider": "of-provider", "gateway": "of-gateway"}
"""Names of the scope that would be taken for the other model's."""
SCOPE_OPTIONS = {name: OPTION_OF.get(name, name.replace("_", "-")) for name in SCOPE_NAMES}


class Command(BaseCommand):
    """Compares what is booked with what another model, or another rate card, would have cost. Changes nothing."""

    help = (
        "Shows what the usage of the days --from to --to cost, what it would have cost on another model (--model) or "
        "by the rates of a file (--rates), and the difference, per model; with neither, by the rates known now, or "
        "those of an instant (--at). Calls that can not be priced are listed. Nothing is changed."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Keep the examples' line breaks."""
        kwargs["epilog"] = (
            "Examples:\n"
            "  manage.py what_if --from 2026-11-01 --to 2026-11-30 --model gpt-4o-mini --of-model gpt-4o\n"
            "  manage.py what_if --from 2026-11-01 --to 2026-11-30 --rates offer.yaml --organization acme --json"
        )
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--from", dest="first", type=iso_day, required=True, metavar="DAY", help="first day")
        parser.add_argument("--to", dest="last", type=iso_day, required=True, metavar="DAY", help="last day, included")
        parser.add_argument("--model", default="", help="the other model, to which all LLM calls are moved")
        parser.add_argument("--provider", default="", help="its provider, where the id does not say it")
        parser.add_argument("--gateway", default="", help="its gateway, if it would be called through one")
        parser.add_argument("--rates", type=Path, metavar="FILE", help="a rate file, as load_rates takes it")
        parser.add_argument("--at", metavar="INSTANT", help="price all calls by the rates of this instant, or day")
        parser.add_argument(
            "--organization", type=given_slug, metavar="SLUG", help="only this organization (default: all together)"
        )
        for name, option in SCOPE_OPTIONS.items():
            parser.add_argument(f"--{option}", dest=f"scope_{name}", metavar="VALUE", help=f"only usage of this {name}")
        parser.add_argument("--json", action="store_true", help="print one JSON object; amounts are exact strings")

    def handle(self, *args: Any, **options: Any) -> None:
        """Parse, ask, print."""
        if options["last"] < options["first"]:
            raise CommandError(f"--to {options['last']} lies before --from {options['first']}.")
        organization = organization_named(options["organization"]) if options["organization"] else None
        zone = reporting_zone(organization)
        try:
            found = what_if(
                start=options["first"],
                end=options["last"] + timedelta(days=1),
                model=options["model"],
                provider=options["provider"],
                gateway=options["gateway"],
                rates=options["rates"],
                organization=organization,
                scope={name: value for name in SCOPE_NAMES if (value := options[f"scope_{name}"]) is not None},
                at=None if options["at"] is None else parse_moment("--at", options["at"], zone=zone),
            )
        except CostTrackError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(json.dumps(what_if_shape(found, zone=zone)) if options["json"] else what_if_table(found))
