"""`manage.py reprice_usage`: show, and on request book, what usage costs by the rates known now."""

from __future__ import annotations

import argparse
import getpass
import json
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.core.management.base import CommandError

from costtrack.conf import settings
from costtrack.domain.money import EXACT, decimal_text, format_usd
from costtrack.exceptions import InvalidCorrection
from costtrack.management.arguments import aligned, iso_day
from costtrack.management.base import BaseCommand
from costtrack.metering.reprice import LookedAt, Repricing, apply_repricing, repricings
from costtrack.models import Organization

UNPRICED = {
    "without_rate": "Still without a rate, and so without a cost; load one with `manage.py load_rates FILE`:",
    "without_usage": "Told no usage, so that no rate can price them; pass their tokens on:",
}
"""What is said of those that stay without a cost."""
PerModel = dict[tuple[str, str], tuple[int, int, Decimal, Decimal]]
"""(provider, model): usages, those of them without a cost so far, booked and new USD."""


class Command(BaseCommand):
    """Price unpriced usage after a rate arrived, or correct what a wrong rate has booked."""

    help = (
        "Shows which usage of the days --from to --to would cost something else by the rates known now, per model, "
        "and the difference. Nothing changes unless --apply --reason TEXT is given: then each difference is booked as "
        "an adjustment on the usage's own day, with its author. Costs that a provider reported are never touched. "
        "Typical use: a rate arrived for usage that was unpriced (--unpriced-only), or a rate was wrong and has been "
        "corrected (manage.py correct_rate)."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--from", dest="first", type=iso_day, required=True, metavar="DAY", help="first day")
        parser.add_argument("--to", dest="last", type=iso_day, required=True, metavar="DAY", help="last day, included")
        parser.add_argument("--organization", metavar="SLUG", help="only this organization")
        parser.add_argument("--model", default="", help="only this model, as the ledger names it")
        parser.add_argument("--unpriced-only", action="store_true", help="only usage that has no cost yet")
        either = parser.add_mutually_exclusive_group()
        either.add_argument("--dry-run", action="store_true", help="only show the differences (the default)")
        either.add_argument("--apply", action="store_true", help="book the differences")
        parser.add_argument("--reason", default="", help="why, and who asked for it; stored with every adjustment")
        parser.add_argument("--author", default="", help="who books them (default: the system's user); stored, too")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Find, sum per model, apply where asked, print."""
        if options["last"] < options["first"]:
            raise CommandError(f"--to {options['last']} lies before --from {options['first']}.")
        if options["apply"] and not options["reason"].strip():
            raise CommandError("--apply needs --reason TEXT: it is stored with every adjustment.")
        author = (options["author"].strip() or _system_user()) if options["apply"] else ""
        looked_at = LookedAt()
        found = repricings(
            looked_at=looked_at,
            start=options["first"],
            end=options["last"] + timedelta(days=1),
            organization_id=self._organization_id(options["organization"]),
            model=options["model"],
            unpriced_only=options["unpriced_only"],
        )
        per_model: PerModel = {}
        applied = skipped = 0
        for repricing in found:
            _add(per_model, repricing)
            if options["apply"]:
                try:
                    apply_repricing(repricing, reason=options["reason"], author=author)
                    applied += 1
                except InvalidCorrection as error:
                    skipped += 1
                    self.stderr.write(f"usage {repricing.usage_id}: {error}")
        report = {
            "models": [
                {
                    "provider": provider,
                    "model": model,
                    "usages": count,
                    "unpriced": unpriced,
                    "booked_usd": decimal_text(booked),
                    "cost_usd": decimal_text(cost),
                    "difference_usd": decimal_text(cost - booked),
                }
                for (provider, model), (count, unpriced, booked, cost) in sorted(per_model.items())
            ],
            "without_rate": _counted(looked_at.without_rate),
            "without_usage": _counted(looked_at.without_usage),
            "usages_looked_at": looked_at.usages,
            "applied": applied,
            "skipped": skipped,
        }
        self.stdout.write(json.dumps(report) if options["json"] else _as_text(report, applied=options["apply"]))

    @staticmethod
    def _organization_id(slug: str | None) -> int | None:
        if slug is None:
            return None
        found = Organization.objects.using(settings.database).filter(slug=slug).values_list("id", flat=True).first()
        if found is None:
            known = Organization.objects.using(settings.database).values_list("slug", flat=True)[:20]
            raise CommandError(f"There is no organization {slug!r}. Known: {', '.join(known) or 'none'}.")
        return found


def _system_user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # of a container's user without a name; before Python 3.13 a KeyError
        raise CommandError("--apply needs --author NAME: this system's user has no name.") from None


def _add(per_model: PerModel, repricing: Repricing) -> None:
    key = (repricing.provider, repricing.model)
    count, unpriced, booked, cost = per_model.get(key, (0, 0, Decimal(0), Decimal(0)))
    booked = EXACT.add(booked, repricing.booked_usd or Decimal(0))
    unpriced += repricing.booked_usd is None
    per_model[key] = (count + 1, unpriced, booked, EXACT.add(cost, repricing.cost_usd))


def _counted(usages: Counter[tuple[str, str]]) -> list[dict[str, Any]]:
    return [
        {"provider": provider, "model": model, "usages": count} for (provider, model), count in usages.most_common()
    ]


def _as_text(report: dict[str, Any], *, applied: bool) -> str:
    if not report["usages_looked_at"]:
        return (
            "No usage matches: nothing of these days that a rate could price. Check the days, --organization, --model."
        )
    lines = []
    for name, why in UNPRICED.items():
        if report[name]:
            lines += [why, *(f"  {one['provider'] or '-'} {one['model']}: {one['usages']:,}" for one in report[name])]
    if not report["models"]:
        lines.append("Nothing else would cost anything else by the rates known now.")
        return "\n".join(lines)
    rows = [("provider", "model", "usages", "booked", "by known rates", "difference")]
    for one in report["models"]:
        money = [format_usd(Decimal(one[name]), 6) for name in ("booked_usd", "cost_usd", "difference_usd")]
        if one["unpriced"] == one["usages"]:
            money[0] = "unpriced"
        rows.append((one["provider"], one["model"], f"{one['usages']:,}", money[0], money[1], money[2]))
    ending = (
        f"Booked {report['applied']:,} adjustment(s), skipped {report['skipped']:,}."
        if applied
        else "Nothing was changed. Book the differences with --apply --reason TEXT."
    )
    return "\n".join([*lines, aligned(rows, numbers=frozenset({2, 3, 4, 5})), ending])
