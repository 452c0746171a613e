"""`manage.py costtrack_demo`: two invented organizations with 45 days of traffic, to look around in."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from importlib.metadata import version
from typing import Any

from django.conf import settings as django_settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connections
from django.utils import timezone

from costtrack.conf import settings
from costtrack.domain.periods import DayRange
from costtrack.management.base import BaseCommand
from costtrack.management.demo.admin_user import create_demo_admin, demo_admin_name, users_database
from costtrack.management.demo.alerts import count_alerts
from costtrack.management.demo.figures import (
    DemoFigures,
    agents_table,
    daily_report,
    demo_figures,
    figures_object,
    organizations_table,
)
from costtrack.management.demo.flush import flush_demo
from costtrack.management.demo.next_steps import manage_command, next_steps, unpriced_advice
from costtrack.management.demo.other_data import existing_tables, other_data
from costtrack.management.demo.plan import demo_variance_lines
from costtrack.management.demo.run import DemoFailed, run_demo
from costtrack.management.demo.traffic import days_until
from costtrack.management.demo.world import demo_organizations, is_unfinished
from costtrack.models import Organization
from costtrack.pricing.loading import load_maintained_rates
from costtrack.reporting.wording import counted

MAX_DAYS = 366
PROGRESS_WIDTH = 50

DESCRIPTION = """\
Fill an empty database with a demo, and show what it cost.

It migrates the database, loads the rates, and meters the traffic of two invented organizations as an application
would: responses of OpenAI, Anthropic, Gemini, Bedrock, Azure, OpenRouter, Mistral and Ollama, streams, tools, GPU
jobs, failures, and one model without a price. Then it folds and verifies the books, prints a daily report and the
top agents, raises alerts, and makes a superuser whose password it shows once. It takes less than a minute.

The same --seed on the same day (UTC) gives the same figures. A second run finds the demo and changes nothing. A
database that holds other data is never touched: organizations, usage, users, rows in tables of your own.
"""


class Command(BaseCommand):
    """Play the demo, or remove it."""

    help = DESCRIPTION

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Keep the line breaks of the help."""
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        kwargs["epilog"] = (
            "Examples:\n  manage.py costtrack_demo\n  manage.py costtrack_demo --days 90 --seed 7\n"
            "  DATABASE_URL=sqlite:///demo.sqlite3 manage.py costtrack_demo\n  manage.py costtrack_demo --flush"
        )
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--days", type=int, default=45, help=f"days of traffic, today included (1 to {MAX_DAYS})")
        parser.add_argument("--seed", type=int, default=1, help="another seed plays other traffic (default 1)")
        parser.add_argument(
            "--flush",
            action="store_true",
            help="remove the demo's organizations with all their usage, and its superuser; price data stays",
        )
        parser.add_argument("--force", action="store_true", help="work although DEBUG is off")
        parser.add_argument("--json", action="store_true", help="print one JSON object; money is exact strings")
        parser.add_argument("--no-progress", action="store_true", help="no progress line, also on a terminal")

    def handle(self, *args: Any, **options: Any) -> None:
        """Refuse, remove, find or play."""
        if not 1 <= options["days"] <= MAX_DAYS:
            raise CommandError(f"--days: got {options['days']}, expected 1 to {MAX_DAYS}.")
        if not django_settings.DEBUG and not options["force"]:
            raise CommandError("DEBUG is off: this may be a real site. Nothing was changed. Use --force if it is none.")
        alias = settings.database
        has_tables = Organization._meta.db_table in existing_tables(using=alias)
        is_there = has_tables and demo_organizations(using=alias).exists()
        if options["flush"]:
            self._flush(alias, is_there=is_there, as_json=options["json"])
        elif is_there:
            self._find(alias, as_json=options["json"])
        else:
            self._play(alias, options)

    def _play(self, alias: str, options: dict[str, Any]) -> None:
        if found := other_data(using=alias):
            raise CommandError(
                f"This database holds {found}. The demo needs one without other data; nothing was changed. "
                "Give it another one; the example site takes DATABASE_URL=sqlite:///demo.sqlite3"
            )
        now = timezone.now()
        days = days_until(now.date(), days=options["days"])
        say: Callable[[str], object] = (lambda text: None) if options["json"] else self.stdout.write
        say(f"Database: {_name_of_database(alias)}")
        for database in dict.fromkeys((alias, users_database()[0])):
            call_command("migrate", database=database, interactive=False, verbosity=0)
        rates = load_maintained_rates(now=now, using=alias)
        loaded = rates.created + rates.changed + rates.unchanged
        say(f"Migrated it, and loaded {loaded:,} rates of genai-prices {version('genai-prices')}.")
        try:
            folded = run_demo(
                days, seed=options["seed"], now=now, using=alias, on_day=self._progress(days, options=options)
            )
        except DemoFailed as failure:
            raise CommandError(f"{failure} What was played is removed.") from None
        figures = demo_figures()
        if figures is None:
            raise CommandError("Nothing was recorded.")
        say(
            f"Metered {figures.whole.calls:,} calls of two organizations in {options['days']} day(s); "
            f"{figures.whole.errors:,} of them failed."
        )
        say(f"Folded {folded:,} sums, and verified: the summaries equal the ledger, on every day.")
        for line in demo_variance_lines():
            say(line)
        alerts = count_alerts(using=alias)
        say(f"Raised {counted(alerts, 'alert')}, which wait for their channels; see Budget alerts in the admin.")
        password = create_demo_admin()
        if options["json"]:
            admin = None if password is None else {"name": demo_admin_name(), "password": password}
            result = {"status": "played", "seed": options["seed"], **figures_object(figures)}
            result |= {"alerts": alerts, "admin": admin}
            self.stdout.write(json.dumps(result))
        else:
            self.stdout.write("\n" + daily_report(figures, today=now.date()))
            self._show(figures, password=password)

    def _find(self, alias: str, *, as_json: bool) -> None:
        if is_unfinished(using=alias):
            raise CommandError(
                "A run of the demo was killed in the middle; nothing was changed. "
                f"Remove what it left with {manage_command()} costtrack_demo --flush, and run it again."
            )
        figures = demo_figures()
        if as_json:
            self.stdout.write(json.dumps({"status": "found", **(figures_object(figures) if figures else {})}))
            return
        self.stdout.write("The demo is here already; nothing was changed.")
        if figures is not None:
            self._show(figures, password=None)

    def _show(self, figures: DemoFigures, *, password: str | None) -> None:
        parts = [agents_table(figures), organizations_table(figures), unpriced_advice(figures)]
        parts.append(next_steps(figures, password=password))
        self.stdout.write("\n" + "\n\n".join(part for part in parts if part))

    def _flush(self, alias: str, *, is_there: bool, as_json: bool) -> None:
        if not is_there:
            text = "There is no demo here: nothing to remove."
            self.stdout.write(json.dumps({"status": "absent"}) if as_json else text)
            return
        report = flush_demo(using=alias)
        if as_json:
            self.stdout.write(json.dumps({"status": "flushed", **asdict(report)}))
            return
        self.stdout.write(
            f"Removed {report.organizations} organizations with {report.usage_rows:,} ledger rows, their projects, "
            f"agents, budgets, alerts, channels and own rates, and {report.users} user(s). The global price data stays."
        )

    def _progress(self, days: DayRange, *, options: dict[str, Any]) -> Callable[[date], None]:
        """A line that is written over again and again, on a terminal only."""
        stream = self.stderr
        if options["no_progress"] or options["json"] or not options["verbosity"] or not stream.isatty():
            return lambda day: None
        total = (days.end - days.start).days

        def show(day: date) -> None:
            number = (day - days.start).days + 1
            line = f"\rMetering {day}, day {number} of {total}"
            stream.write(line if number < total else "\r".ljust(PROGRESS_WIDTH) + "\r", ending="", style_func=str)
            stream.flush()

        return show


def _name_of_database(alias: str) -> str:
    connection = connections[alias]
    kind = "the SQLite file" if connection.vendor == "sqlite" else connection.vendor
    return f"{kind} {connection.settings_dict['NAME']}"
