"""`manage.py load_rates`: prices into the rate table, from the maintained data or from a file."""

from __future__ import annotations

import json
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.db import connections
from django.utils import timezone

from costtrack.conf import settings
from costtrack.exceptions import RateFileError, UnknownOrganization
from costtrack.management.base import BaseCommand
from costtrack.management.organizations import given_slug
from costtrack.models import Organization
from costtrack.pricing.loading import FORMATS, LoadReport, load_maintained_rates, load_rate_file

DESCRIPTION = """\
Load prices into the rate table.

Without FILE: the price data of the installed genai-prices, with costtrack's own supplement. Run it after every
upgrade of genai-prices; run again it changes nothing. Rates that you set by hand or from a file are left alone.

With FILE: your own prices. Models that the file does not name stay as they are. If any row is bad, every bad row is
reported with its line and nothing is loaded.

  yaml      rates:
              gpt-4: {prompt_per_1k: 0.03, completion_per_1k: 0.06}
              my-model: {provider: azure, input_usd_per_million: 2, output_usd_per_million: 8}
              "*": {provider: pubmed, resource_type: api_call, unit_price_usd: 0.01}
              a100: {resource_type: gpu_seconds, unit_price_usd: 0.0006}
  csv       model,provider,input_usd_per_million,output_usd_per_million
            gpt-4,openai,30,60
  litellm   LiteLLM's model_prices_and_context_window.json

Price columns of yaml and csv: input (or prompt), output (or completion), cache_read, cache_write, cache_write_1h,
input_audio, output_audio, reasoning, each with _per_1k, _per_1m or _usd_per_million. Others: provider, aliases (with
; in csv), service_tier, resource_type, effective_from, window_start, window_end, request_usd, unit_price_usd,
withdrawn, source, source_version, and in yaml tiers: [{above_input_tokens: 200000, ...}].

A tool is the provider of its rate, with the model "*": the rate above prices record_api_call("pubmed"). Several tools
are a list, `rates: [{model: "*", provider: pubmed, ...}, ...]`. The GPU's rate prices
record_usage(model="a100", resource_type="gpu_seconds", amount=3600).

A price without a date holds for all earlier usage if its model is new, else from now on. What has been priced stays.
A row without aliases leaves its model those it has. Prices that it leaves out are gone from its beginning, of cached
tokens and of long requests for example: the report names the models that lose some.
"""

COUNTS = {
    "created": "created",
    "changed": "changed",
    "unchanged": "unchanged",
    "ended": "ended (no longer in the data)",
    "kept": "kept (your own price stands)",
}
"""The counts of a report, and how they are explained."""


class Command(BaseCommand):
    """Load prices into the rate table."""

    help = DESCRIPTION

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Keep the line breaks of the help."""
        return super().create_parser(prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """FILE and how to take it."""
        parser.add_argument("file", nargs="?", metavar="FILE", help="a file of your own prices")
        parser.add_argument(
            "--format",
            choices=["genai-prices", *dict.fromkeys(FORMATS.values())],
            help="default: by the file's ending; genai-prices without FILE",
        )
        parser.add_argument(
            "--organization", type=given_slug, metavar="SLUG", help="the prices are this organization's own"
        )
        parser.add_argument("--provider", default="", help="of rows that name none; else found by the model id")
        parser.add_argument("--effective-from", metavar="DATE", help="ISO date or time (UTC) of rows without one")
        parser.add_argument("--dry-run", action="store_true", help="say what would change, write nothing")
        parser.add_argument("--json", action="store_true", help="print the report as JSON")
        parser.add_argument("--database", choices=tuple(connections), help="alias; default: COSTTRACK['DATABASE']")

    def handle(self, *args: Any, **options: Any) -> None:
        """Load, then print the report."""
        try:
            report = self._load(options)
        except (RateFileError, UnknownOrganization) as error:
            raise CommandError(f"{options['file']}: {error}" if options["file"] else str(error)) from None
        if options["json"]:
            self.stdout.write(json.dumps(asdict(report)))
        else:
            self._print(report, is_dry_run=options["dry_run"])

    def _load(self, options: dict[str, Any]) -> LoadReport:
        using = options["database"] or settings.database
        common: dict[str, Any] = {"now": timezone.now(), "using": using, "is_dry_run": options["dry_run"]}
        if not options["file"]:
            for name in ("organization", "provider", "effective_from"):
                if options[name]:
                    raise CommandError(f"--{name.replace('_', '-')} needs a FILE.")
            if options["format"] not in (None, "genai-prices"):
                raise CommandError(f"--format {options['format']} needs a FILE.")
            return load_maintained_rates(**common)
        path = Path(options["file"])
        if options["format"] == "genai-prices":
            raise CommandError("--format genai-prices takes no FILE: it loads the installed package.")
        if not path.is_file():
            raise CommandError(f"There is no file {path}.")
        return load_rate_file(
            path,
            file_format=options["format"] or "",
            organization_id=_organization_id(options["organization"], using=using),
            provider=options["provider"],
            effective_from=_instant(options["effective_from"]),
            **common,
        )

    def _print(self, report: LoadReport, *, is_dry_run: bool) -> None:
        self.stdout.write("Prices, one per provider, model, resource type, service tier and daily window:")
        for name, title in COUNTS.items():
            self.stdout.write(f"  {title:<40} {getattr(report, name):>6,}")
        if report.ignored:
            self.stdout.write("left out, for want of a place in a rate:")
            for reason, count in sorted(report.ignored.items(), key=lambda item: (-item[1], item[0])):
                self.stdout.write(f"  {reason:<40} {count:>6,}")
        if report.warnings:
            self.stdout.write("WARNING:")
            for warning in report.warnings:
                self.stdout.write(f"  {warning}")
        if is_dry_run:
            self.stdout.write("Dry run: nothing was written.")


def _organization_id(slug: str | None, *, using: str) -> int | None:
    if not slug:
        return None
    known = Organization.objects.using(using).filter(slug=slug).values_list("id", flat=True).first()
    if known is None:
        raise UnknownOrganization(slug)
    return known


def _instant(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"--effective-from {text}: expected an ISO date such as 2026-01-31.") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
