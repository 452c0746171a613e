"""`manage.py correct_rate`: the right prices in place of a rate's wrong ones, from its beginning on."""

from __future__ import annotations

import argparse
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from costtrack.conf import settings
from costtrack.domain.money import parse_decimal
from costtrack.exceptions import CostTrackError
from costtrack.management.base import BaseCommand
from costtrack.models import Rate
from costtrack.pricing.corrected_rates import PRICES, correct_rate


class Command(BaseCommand):
    """Makes the rate that corrects another one. Costs that are booked stay until reprice_usage books the difference."""

    help = (
        "Corrects a rate whose prices were wrong from its beginning. The rate itself stays: it has priced usage. The "
        "right one follows it by a microsecond, and is in force from there until the next rate begins. Prices that are "
        "not named stay. Nothing that is booked changes; see the difference with reprice_usage afterwards."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Keep the examples' line breaks."""
        kwargs["epilog"] = (
            "Example:\n"
            "  manage.py correct_rate 911 --price input_usd_per_million=2 --price output_usd_per_million=8\n"
            "  manage.py reprice_usage --from 2026-11-01 --to 2026-11-30 --dry-run\n"
            '  manage.py reprice_usage --from 2026-11-01 --to 2026-11-30 --apply --reason "rate 911 was wrong"'
        )
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("rate", type=int, metavar="RATE", help="the wrong rate's id, as the admin and REST show it")
        parser.add_argument(
            "--price",
            action="append",
            required=True,
            metavar="NAME=USD",
            help=f"a right price, or NAME= for none; NAME is one of {', '.join(PRICES)}",
        )
        parser.add_argument("--source", default="manual", help="where the right prices come from (default: manual)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Parse, correct, say what to do next."""
        prices: dict[str, Any] = dict(map(_price, options["price"]))
        try:
            wrong = Rate.objects.using(settings.database).get(pk=options["rate"])
            right = correct_rate(wrong, source=options["source"], **prices)
        except Rate.DoesNotExist:
            raise CommandError(f"There is no rate {options['rate']}.") from None
        except ValidationError as error:
            problems = [f"{name}: {' '.join(texts)}" for name, texts in error.message_dict.items()]
            raise CommandError("\n".join(problems)) from None
        except CostTrackError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(
            f"Rate {right.pk} ({right}) corrects rate {wrong.pk}. What is booked stays. See the difference with "
            f"`manage.py reprice_usage --from DAY --to DAY`, and book it with --apply --reason TEXT."
        )


def _price(text: str) -> tuple[str, Decimal | None]:
    name, equals, price = text.partition("=")
    if not equals or name not in PRICES:
        raise CommandError(f"--price: got {text!r}, expected NAME=USD, with a NAME of {', '.join(PRICES)}.")
    try:
        return name, parse_decimal(name, price) if price else None
    except CostTrackError as error:
        raise CommandError(f"--price: {error}") from None
