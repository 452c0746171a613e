"""`manage.py flush_usage`: book what dead processes left in the spool, and retry dead letters."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError
from django.db import Error as DatabaseError
from django.utils import timezone

from costtrack.conf import settings
from costtrack.exceptions import CostTrackError
from costtrack.jobs.runs import job_run
from costtrack.management.base import BaseCommand
from costtrack.metering.runs.upkeep import tidy_runs
from costtrack.metering.spool.directory import SpoolUnusable, spool_directory
from costtrack.metering.spool.header import address_of
from costtrack.metering.spool.installation import known_installation_uuid
from costtrack.metering.spool.leftovers import Leftovers, book_leftovers
from costtrack.metering.spool.retry import Retried, retry_dead_letters
from costtrack.metering.spool.state import SegmentKind, SpoolState, spool_state

DESCRIPTION = """\
Book the usage that processes which are gone have left in the spool.

Each process books its own usage within a second or two, and every 30 seconds what others left. So this is for the
time after the last one has ended: before a maintenance, in a shutdown hook, or from cron. It may run at any time and
any number of times; nothing is charged twice. Segments of living processes are left to them.

With --retry-dead-letters it tries again what could not be booked (events that the database refused, conflicts,
organizations that did not exist), after you have mended the cause. What still fails is kept with its new reason.

Exit status 1 if anything is left: events that wait for their organization, dead letters, segments that can not be read.
"""


class Command(BaseCommand):
    """Book leftovers, or dead letters too."""

    help = DESCRIPTION

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Keep the line breaks of the help."""
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        kwargs["epilog"] = "Examples:\n  manage.py flush_usage\n  manage.py flush_usage --retry-dead-letters --json"
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--retry-dead-letters", action="store_true", help="try what could not be booked again")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Book, retry, say what was done and what is left."""
        try:
            with job_run("flush_usage"):
                booked = book_leftovers(self._progress(options))
                tidy_runs(now=timezone.now())
            retried = retry_dead_letters() if options["retry_dead_letters"] else None
            state = spool_state(
                spool_directory(),
                address=address_of(settings.database),
                installation=known_installation_uuid(using=settings.database),
            )
        except SpoolUnusable as error:
            raise CommandError(
                f'There is no spool to flush: {error} Set COSTTRACK["SPOOL_DIR"].', returncode=1
            ) from error
        except (CostTrackError, DatabaseError) as error:
            reason = " ".join(str(error).split()).rstrip(".")
            raise CommandError(
                f"Not all could be booked: {reason}. Nothing is lost: what is left stays in {spool_directory()}. "
                "Run this again when that is mended; `manage.py costtrack_doctor` says more.",
                returncode=1,
            ) from error
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(booked, retried, state)))
        else:
            self.stdout.write(_as_text(booked, retried, state))
        if state.count(SegmentKind.ORPHANED) or state.count(SegmentKind.UNREADABLE):
            raise CommandError("Not all that dead processes left is booked: see above.", returncode=1)
        if booked.dead_letters or (retried and retried.kept):
            raise CommandError(
                "Some usage could not be booked; each event is kept with its reason in "
                f"{spool_directory() / 'dead-letters.jsonl'}.",
                returncode=1,
            )

    def _progress(self, options: dict[str, Any]) -> Any:
        """A line that is written over again and again, on a terminal only."""
        if options["json"] or not options["verbosity"] or not self.stderr.isatty():
            return lambda so_far: None

        def show(so_far: Leftovers) -> None:
            self.stderr.write(f"\rBooked {so_far.events:,} events", ending="", style_func=str)
            self.stderr.flush()

        return show


def _as_json(booked: Leftovers, retried: Retried | None, state: SpoolState) -> dict[str, Any]:
    result: dict[str, Any] = {"flushed": asdict(booked)}
    if retried is not None:
        result["dead_letters"] = {**asdict(retried), "reasons": dict(retried.reasons)}
    result["segments_left"] = {kind.value: state.count(kind) for kind in SegmentKind}
    return result


def _as_text(booked: Leftovers, retried: Retried | None, state: SpoolState) -> str:
    lines = []
    if booked.segments:
        lines.append(
            f"Booked {booked.events:,} event(s) that {booked.segments} segment(s) of dead processes held: "
            f"{booked.recorded:,} recorded, {booked.duplicates:,} were in the ledger already, "
            f"{booked.dead_letters:,} could not be booked, {booked.waiting:,} wait for their organization."
        )
    else:
        lines.append("No dead process has left anything.")
    if retried is not None:
        lines.append(
            f"Retried {retried.recorded + retried.duplicates + retried.kept:,} dead letter(s): "
            f"{retried.recorded:,} recorded, {retried.duplicates:,} were in the ledger already, {retried.kept:,} kept."
        )
        lines += [f"  {count:>6,} x {reason}" for reason, count in retried.reasons.most_common(5)]
    if booked.organizations:
        named = ", ".join(map(repr, booked.organizations))
        lines.append(f"They wait for the organization(s) {named}. Create what is missing, and run this again.")
    for kind, meaning in (
        (SegmentKind.LIVE, "belong to living processes, which book them"),
        (SegmentKind.ORPHANED, "of dead processes are left: what waits, or what another process is just booking"),
        (SegmentKind.FOREIGN, "are for another database, whose processes book them"),
        (SegmentKind.UNREADABLE, "can not be read: another user's, or of another version of costtrack"),
    ):
        if count := state.count(kind):
            lines.append(f"{count} segment(s) {meaning}.")
    return "\n".join(lines)
