"""`manage.py rebuild_counters`: prove budget counters, or set them right."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from costtrack.budgets.rebuild import CounterDifference, counter_differences, rebuild_counters
from costtrack.conf import settings
from costtrack.domain.budget_rules import SEPARATOR
from costtrack.domain.money import decimal_text
from costtrack.management.base import BaseCommand
from costtrack.management.organizations import given_slug, organization_named
from costtrack.reporting.wording import counted, one_line

PROGRESS_SECONDS = 0.2
PROGRESS_WIDTH = 50
BOOKS = {"spent": "the ledger says", "held": "live holds hold", "leased": "leases hold"}


class Command(BaseCommand):
    """Prove that counters equal the ledger and the live holds, or make them."""

    help = (
        "Sets the budget counters of running periods right: what is spent from the ledger, what is held from live "
        "holds. With --verify it only compares, in one snapshot, prints what differs, and exits 1 if anything does. "
        "It may run while calls are metered: writers wait only while their organization's wrong counters are set right."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Keep the examples' line breaks."""
        kwargs["epilog"] = (
            "Examples:\n  manage.py rebuild_counters --verify\n  manage.py rebuild_counters --organization acme --json"
        )
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--verify", action="store_true", help="change nothing; exit 1 if a counter differs")
        parser.add_argument("--organization", type=given_slug, metavar="SLUG", help="only this organization's counters")
        parser.add_argument("--json", action="store_true", help="print one JSON object; amounts are exact strings")

    def handle(self, *args: Any, **options: Any) -> None:
        """Compare; without --verify set right; say what differed."""
        chosen = organization_named(options["organization"]) if options["organization"] else None
        work = counter_differences if options["verify"] else rebuild_counters
        differences = work(
            using=settings.database,
            now=timezone.now(),
            organization_id=chosen.id if chosen else None,
            on_counter=self._progress(options),
        )
        if options["json"]:
            name = "verified" if options["verify"] else "rebuilt"
            done: object = not differences if options["verify"] else len({one.counter_id for one in differences})
            self.stdout.write(json.dumps({name: done, "differences": [_as_json(one) for one in differences]}))
        else:
            self.stdout.write("\n".join(_as_text(differences, is_verified=options["verify"])))
        if differences and options["verify"]:
            raise CommandError(
                f"{counted(len(differences), 'difference')} between budget counters and the books. "
                "Set them right: manage.py rebuild_counters",
                returncode=1,
            )

    def _progress(self, options: dict[str, Any]) -> Callable[[int, int], None]:
        """A line that is written over again and again, on a terminal only."""
        if options["json"] or not options["verbosity"] or not self.stderr.isatty():
            return lambda number, total: None
        told_at = time.monotonic()

        def show(number: int, total: int) -> None:
            nonlocal told_at
            if number < total and time.monotonic() - told_at < PROGRESS_SECONDS:
                return
            told_at = time.monotonic()
            line = f"\rCompared {number:,} of {total:,} counters"
            self.stderr.write(line if number < total else "\r".ljust(PROGRESS_WIDTH) + "\r", ending="", style_func=str)
            self.stderr.flush()

        return show


def _as_json(one: CounterDifference) -> dict[str, Any]:
    return {
        "counter_id": one.counter_id,
        "budget_id": one.budget_id,
        "budget": one.budget,
        "subject": one.subject.replace(SEPARATOR, " "),
        "period_start": one.period_start.isoformat(),
        "figure": one.figure,
        "counter": decimal_text(one.counter),
        "books": decimal_text(one.books),
    }


def _as_text(differences: list[CounterDifference], *, is_verified: bool) -> list[str]:
    lines = []
    for one in differences:
        subject = f" of {one_line(one.subject)}" if one.subject else ""
        done = "DIFFERS" if is_verified else "Set right"
        lines.append(
            f"{done} budget {one.budget_id} ({one_line(one.budget)}){subject} from "
            f"{one.period_start:%Y-%m-%d %H:%M} UTC: {one.figure} was {decimal_text(one.counter)}, "
            f"{BOOKS[one.figure]} {decimal_text(one.books)}"
        )
    if not differences:
        lines.append(
            "Verified: every running counter equals the ledger and the live holds."
            if is_verified
            else "Nothing to do: every running counter equals the ledger and the live holds."
        )
    return lines
