"""`manage.py reconcile_invoice`: what a provider has billed beside what was metered."""

from __future__ import annotations

import json
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from costtrack.domain.periods import DayRange
from costtrack.domain.reconciliation import Reconciled
from costtrack.exceptions import CostTrackError
from costtrack.management.arguments import aligned, iso_day
from costtrack.management.base import BaseCommand
from costtrack.management.organizations import organization_named
from costtrack.reporting.invoice_file import MAX_BYTES, Invoice, read_invoice
from costtrack.reporting.reconciliation import (
    ReconciledInvoice,
    invoicing_provider,
    reconcile_invoice,
    reconciliation_shape,
)
from costtrack.reporting.wording import counted, one_line, usd_text

LINES_SHOWN = 50
NOTHING = "-"

DESCRIPTION = """\
Compare a provider's invoice with what was metered, by day and model. Nothing is stored or changed.

FILE is CSV (UTF-8) with a header that has date, model and cost_usd; other columns are left alone. Lines of the same day
and model are added up, a credit is negative:

  date,model,cost_usd
  2026-11-01,gpt-4o,12.40
  2026-11-01,gpt-4o-mini,0.93

Days are the organization's own; a provider's are mostly those of UTC. Where they differ, usage round midnight stands on
the next day on one side: look at the totals then. Without --from and --to, the days are those that the invoice names.
"""


class Command(BaseCommand):
    """Compares, and prints the differences."""

    help = DESCRIPTION

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Keep the line breaks of the help."""
        return super().create_parser(prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """FILE, and what it is compared with."""
        parser.add_argument("file", type=Path, metavar="FILE", help="the invoice, as CSV")
        parser.add_argument("--organization", required=True, metavar="SLUG", help="whose usage was billed")
        parser.add_argument("--provider", required=True, metavar="NAME", help="who has billed it, such as openai")
        parser.add_argument("--from", dest="first", type=iso_day, metavar="DAY", help="first day of the invoice")
        parser.add_argument("--to", dest="last", type=iso_day, metavar="DAY", help="its last day, included")
        parser.add_argument("--json", action="store_true", help="print one JSON object; amounts are exact strings")

    def handle(self, *args: Any, **options: Any) -> None:
        """Read, compare, print."""
        organization = organization_named(options["organization"])
        try:
            invoice = read_invoice(_content(options["file"]), provider=invoicing_provider(options["provider"]))
            days = _days(invoice, options["first"], options["last"])
            found = reconcile_invoice(invoice, organization=organization, days=days)
        except CostTrackError as error:
            raise CommandError(f"{options['file']}: {error}") from None
        if options["json"]:
            shape = reconciliation_shape(found, zone=organization.zone_history())
            self.stdout.write(json.dumps(shape, ensure_ascii=False))
        else:
            self.stdout.write(_as_text(found))


def _content(path: Path) -> bytes:
    if not path.is_file():
        raise CommandError(f"There is no file {path}.")
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _days(invoice: Invoice, first: date | None, last: date | None) -> DayRange:
    start = first or invoice.days.start
    end = invoice.days.end if last is None else last + timedelta(days=1)
    if end <= start:
        raise CommandError(f"--to {end - timedelta(days=1)} lies before --from {start}.")
    return DayRange(start, end)


def _as_text(one: ReconciledInvoice) -> str:
    days = one.days
    last = days.end - timedelta(days=1)
    lines = [
        f"Invoice of {one_line(one.provider)} beside the books of {one.organization.slug}, {days.start} to {last}.",
        "",
        _table(("Model",), [(one_line(line.model),) for line in one.found.models], one.found.models, one.found.total),
    ]
    differing = [line for line in one.found.lines if line.difference_usd or line.unpriced_calls]
    if differing:
        shown = sorted(differing, key=lambda line: -abs(line.difference_usd))[:LINES_SHOWN]
        names = [(str(line.day), one_line(line.model)) for line in shown]
        lines += ["", "Days that differ, the largest difference first:", _table(("Day", "Model"), names, shown, None)]
    if len(differing) > LINES_SHOWN:
        lines.append(f"And {len(differing) - LINES_SHOWN:,} more; --json has all.")
    if one.found.total.unpriced_calls:
        unpriced = counted(one.found.total.unpriced_calls, "call")
        lines += ["", f"Of {unpriced} the price is not known: what is invoiced for that is a difference. Add a rate."]
    if one.other_providers:
        others = ", ".join(map(one_line, one.other_providers))
        lines += ["", f"Nothing was metered of {one_line(one.provider)} in these days, but of: {others}."]
    return "\n".join(lines)


def _table(
    heads: Sequence[str], names: Sequence[Sequence[str]], lines: Sequence[Reconciled], total: Reconciled | None
) -> str:
    rows = [(*heads, "Invoiced", "Metered", "Difference", "%", "Calls", "Unpriced")]
    rows += [(*name, *_cells(line)) for name, line in zip(names, lines, strict=True)]
    if total is not None:
        rows.append(("total", *[""] * (len(heads) - 1), *_cells(total)))
    return aligned(rows, numbers=frozenset(range(len(heads), len(heads) + 6)))


def _cells(line: Reconciled) -> tuple[str, ...]:
    percent = line.difference_percent
    return (
        NOTHING if line.invoiced_usd is None else usd_text(line.invoiced_usd),
        NOTHING if line.metered_usd is None and not line.is_unpriced else usd_text(line.metered_usd),
        usd_text(line.difference_usd),
        NOTHING if percent is None else f"{percent:+,}",
        f"{line.calls:,}",
        f"{line.unpriced_calls:,}",
    )
