"""`manage.py deliver_alerts`: send what is due, show the channels, try one out."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError
from django.db.models import QuerySet
from django.utils import timezone

from costtrack.alerts.channels.outgoing import DeliveryFailed
from costtrack.alerts.send_test import send_test
from costtrack.conf import settings
from costtrack.jobs.watch import deliver
from costtrack.management.arguments import aligned
from costtrack.management.base import BaseCommand
from costtrack.management.organizations import given_slug, organization_named
from costtrack.models import AlertChannel
from costtrack.reporting.wording import one_line


class Command(BaseCommand):
    """Sends alerts, usage and reports that are due. Run it every minute, where Celery does not."""

    help = (
        "Sends what is due over the alert channels, and tries again what could not be sent. Two at once are safe. With "
        "--test NAME it sends a test message over one channel instead; with --channels it shows how they fare."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Keep the examples' line breaks."""
        kwargs["epilog"] = "Examples:\n  manage.py deliver_alerts\n  manage.py deliver_alerts --test pager"
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        chosen = parser.add_mutually_exclusive_group()
        chosen.add_argument("--test", metavar="NAME", help="send a test message over the channel of this name")
        chosen.add_argument("--channels", action="store_true", help="show all channels, and what was wrong last")
        parser.add_argument(
            "--organization", type=given_slug, metavar="SLUG", help="with --test or --channels: only its channels"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do the one thing."""
        if options["organization"] and options["test"] is None and not options["channels"]:
            raise CommandError("--organization goes with --test or --channels: what is due is sent of all of them.")
        if options["test"] is not None:
            self._try_out(options)
        elif options["channels"]:
            self._show(options)
        else:
            done = deliver()
            text = f"Sent {done.sent}, to be tried again {done.failed}, given up {done.dead}."
            self.stdout.write(json.dumps(asdict(done)) if options["json"] else text)

    def _try_out(self, options: dict[str, Any]) -> None:
        channels = list(self._channels(options).filter(name=options["test"])[:2])
        if len(channels) != 1:
            seen = "several channels" if channels else "no channel"
            raise CommandError(
                f"There is {seen} {options['test']!r}; `manage.py deliver_alerts --channels` lists them."
            )
        try:
            send_test(channels[0], now=timezone.now())
        except DeliveryFailed as error:
            raise CommandError(f"It could not be sent: {error}", returncode=1) from error
        self.stdout.write(json.dumps({"sent": True}) if options["json"] else f"Sent over {one_line(channels[0].name)}.")

    @staticmethod
    def _channels(options: dict[str, Any]) -> QuerySet[AlertChannel]:
        rows = AlertChannel.objects.using(settings.database).select_related("organization")
        if not options["organization"]:
            return rows
        return rows.filter(organization=organization_named(options["organization"]))

    def _show(self, options: dict[str, Any]) -> None:
        channels = self._channels(options)
        shown = [
            {
                "organization": one.organization.slug if one.organization else None,
                "name": one.name,
                "kind": one.kind,
                "is_active": one.is_active,
                "last_sent_at": one.last_sent_at.isoformat(timespec="seconds") if one.last_sent_at else None,
                "last_error": one.last_error,
            }
            for one in channels
        ]
        if options["json"]:
            self.stdout.write(json.dumps({"channels": shown}))
            return
        if not shown:
            self.stdout.write("There are no channels yet: add one in the admin, under Alert channels.")
            return
        titles = ("organization", "channel", "kind", "state", "last sent", "last error")
        rows = [titles] + [
            (
                str(one["organization"] or "(site)"),
                one_line(str(one["name"])),
                str(one["kind"]),
                "active" if one["is_active"] else "rests",
                str(one["last_sent_at"] or "never"),
                one_line(str(one["last_error"])) if one["last_error"] else "",
            )
            for one in shown
        ]
        self.stdout.write(aligned(rows))
