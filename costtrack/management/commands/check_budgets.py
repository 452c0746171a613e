"""`manage.py check_budgets`: how all budgets stand, and their housekeeping."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from django.utils import timezone

from costtrack.conf import settings
from costtrack.jobs.watch import Checked, check_budgets
from costtrack.management.base import BaseCommand
from costtrack.management.budget_display import budget_table
from costtrack.management.organizations import given_slug, organization_named
from costtrack.models import Budget, Organization
from costtrack.reporting.budget_figures import BudgetStatus
from costtrack.reporting.budget_shapes import budget_shape, hold_shape
from costtrack.reporting.budgets import budget_status
from costtrack.reporting.holds import OutstandingHold, count_outstanding, outstanding_holds
from costtrack.reporting.wording import counted, one_line

NO_BUDGETS = """\
There are no budgets{of_whom} yet. Make one in the admin, under Budgets, or in Python:

  from decimal import Decimal
  from costtrack.budgets.changes import create_budget
  from costtrack.models import Organization

  acme = Organization.objects.get(slug={slug!r})
  create_budget(organization=acme, period="month", enforcement="soft", limit=Decimal("100"))

A soft budget refuses nothing; with enforcement="hard" a call that could pass the limit is refused."""


class Command(BaseCommand):
    """Ends expired holds, clears old rows away, and shows how budgets stand. Run it every few minutes."""

    help = (
        "Shows how all budgets stand in their current periods: spent, held, limit, what is left, and a forecast. "
        "Before that it ends reservations that have expired, raises the alerts that thresholds ask for, and clears "
        "counters and holds away that nobody needs any more (of all organizations). Two at once are safe."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Keep the examples' line breaks."""
        kwargs["epilog"] = "Examples:\n  manage.py check_budgets\n  manage.py check_budgets --organization acme --json"
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--organization", type=given_slug, metavar="SLUG", help="show only this organization's")
        parser.add_argument("--json", action="store_true", help="print one JSON object; amounts are exact strings")

    def handle(self, *args: Any, **options: Any) -> None:
        """Sweep, prune, read, print."""
        alias = settings.database
        chosen = organization_named(options["organization"]) if options["organization"] else None
        now = timezone.now()
        done = check_budgets()
        with_budgets = Organization.objects.using(alias).filter(budgets__isnull=False).distinct()
        organizations = [chosen] if chosen else list(with_budgets)
        statuses = {one: budget_status(one, now=now) for one in organizations}
        holds = outstanding_holds(chosen, now=now)
        count = count_outstanding(chosen)
        if options["json"]:
            report = {
                "budgets": [budget_shape(status) for one in organizations for status in statuses[one]],
                "outstanding_holds": {"count": count, "oldest": [hold_shape(hold) for hold in holds]},
                "swept": done.swept,
                "pruned": asdict(done.pruned),
                "alerts": done.alerts,
            }
            self.stdout.write(json.dumps(report))
            return
        parts = [_of_organization(one, statuses[one], using=alias) for one in organizations]
        if not any(parts):
            of_whom = f" of {chosen.slug!r}" if chosen else ""
            parts = [NO_BUDGETS.format(of_whom=of_whom, slug=chosen.slug if chosen else "acme")]
        parts.append("\n".join([*_of_holds(count, holds), *_of_housekeeping(done)]))
        self.stdout.write("\n\n".join(part for part in parts if part))


def _of_organization(organization: Organization, statuses: tuple[BudgetStatus, ...], *, using: str) -> str:
    shown = {status.budget_id for status in statuses}
    rows = Budget.objects.using(using).filter(organization=organization).exclude(id__in=shown)
    unused = [
        f"{one_line(str(budget))}: "
        + (f"no {budget.per} has used anything in this period." if budget.is_active else "it rests.")
        for budget in rows.select_related("organization", "project", "agent")
    ]
    if not statuses and not unused:
        return ""
    zones = organization.zone_history()
    lines = [f"{organization.slug} (times in {organization.timezone})"]
    return "\n".join(lines + ([budget_table(statuses, zones=zones)] if statuses else []) + unused)


def _of_holds(count: int, holds: tuple[OutstandingHold, ...]) -> list[str]:
    if not count:
        return ["Nothing is held right now."]
    minutes = int(holds[0].age.total_seconds() // 60) if holds else 0
    return [f"{counted(count, 'outstanding hold')}, the oldest {counted(minutes, 'minute')} old."]


def _of_housekeeping(done: Checked) -> list[str]:
    lines, pruned = [], done.pruned
    if done.alerts:
        lines.append(f"Raised {counted(done.alerts, 'alert')}.")
    if done.swept:
        lines.append(f"Ended {counted(done.swept, 'hold')} that had expired.")
    if pruned.charges_ended:
        lines.append(f"Ended {counted(pruned.charges_ended, 'hold')} that stayed taken until the period's end.")
    if pruned.counters or pruned.holds:
        lines.append(
            f"Cleared away {counted(pruned.counters, 'counter')} of periods and threads that are over, and "
            f"{counted(pruned.holds, 'hold')} that ended long ago."
        )
    return lines
