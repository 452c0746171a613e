"""manage.py import_usage: usage from a CSV or JSONL file, each row charged once however often the file comes."""

from __future__ import annotations

import json
import sys
from argparse import RawDescriptionHelpFormatter
from collections.abc import Iterable
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError, reset_queries

from costtrack.conf import settings
from costtrack.exceptions import CostTrackError
from costtrack.management.base import BaseCommand
from costtrack.management.import_display import Progress, summary_object, summary_text
from costtrack.metering.importing.claude_code import ClaudeCodeTranslator
from costtrack.metering.importing.columns import ColumnTranslator, parse_column_options
from costtrack.metering.importing.csv_records import CsvRecords
from costtrack.metering.importing.fields import FIELDS
from costtrack.metering.importing.interrupt import PatientInterrupt
from costtrack.metering.importing.json_records import JsonRecords, check_is_jsonl
from costtrack.metering.importing.keys import MAX_SOURCE_LENGTH, source_name
from costtrack.metering.importing.litellm import LiteLLMTranslator
from costtrack.metering.importing.preview import Preview
from costtrack.metering.importing.records import Record, Records, Translator
from costtrack.metering.importing.rejects import RejectsFile, rejects_candidates
from costtrack.metering.importing.run import ImportRun, ImportSummary
from costtrack.metering.importing.scopes import create_scopes, missing_scopes, similar_organizations
from costtrack.metering.importing.source import open_source
from costtrack.reporting.wording import counted

SAMPLE_ROWS = 100
CSV_SUFFIXES = (".csv", ".tsv")
JSONL_SUFFIXES = (".jsonl", ".ndjson", ".json")
PRESETS = ("litellm", "claude-code")
INTERRUPTED = 130

EPILOG = f"""
fields for --map, and for columns of the same name:
  {", ".join(FIELDS)}
  (input_tokens and output_tokens are totals, cached and reasoning tokens included; cost_usd is a reported cost)

A row's key is its content and line number under the source's name (or the column mapped to idempotency_key; the
presets use the format's own ids). So the same file again, renamed or grown, adds only what is new. Mend rejected
rows in the file itself and import it again.

exit status: 0 all rows are recorded (now or before), 1 some were rejected or in conflict, or nothing could be
imported, 130 interrupted.

examples:
  import_usage calls.csv --organization acme --provider anthropic --model claude-sonnet-4-5 \\
      --map occurred_at=TIMESTAMP --map input_tokens=ContextTokens --map output_tokens=GeneratedTokens
  import_usage calls.jsonl.gz --organization acme --map input_tokens=usage.prompt_tokens
  import_usage spend_logs.csv --organization acme --preset litellm --map project=team_id
"""


class Command(BaseCommand):
    """Reads the file, writes usage, says what became of it."""

    help = "Import usage from a CSV or JSONL file (also .gz). Rows that were imported before are not charged again."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Keep the line breaks of the epilog."""
        parser = super().create_parser(prog_name, subcommand, epilog=EPILOG, **kwargs)
        parser.formatter_class = RawDescriptionHelpFormatter
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        """The file and how to read it."""
        parser.add_argument(
            "file", metavar="FILE", nargs="?", help="a .csv, .tsv, .jsonl or .ndjson file, also .gz; - is stdin"
        )
        parser.add_argument("--organization", required=True, help="slug; created if missing")
        parser.add_argument("--project", default="", help="slug, for rows that name none; created if missing")
        parser.add_argument("--agent", default="", help="slug, for rows that name none; created if missing")
        parser.add_argument("--provider", default="", help="for rows that name none")
        parser.add_argument("--model", default="", help="for rows that name none")
        parser.add_argument(
            "--map",
            action="extend",
            nargs="+",
            default=[],
            metavar="FIELD=COLUMN",
            help="which column fills a field; in JSONL a dotted path such as usage.prompt_tokens",
        )
        parser.add_argument(
            "--preset", choices=PRESETS, help="the file is a LiteLLM spend log, or a Claude Code session"
        )
        parser.add_argument("--format", choices=("csv", "jsonl"), help="default: by the file's suffix")
        parser.add_argument("--source", default="", help="the source's name; default: a hash of header and first row")
        parser.add_argument("--timezone", default="UTC", help="IANA zone of times without an offset; default UTC")
        parser.add_argument("--rejects", metavar="FILE", help="rows that were not imported; default FILE.rejects.csv")
        parser.add_argument(
            "--dry-run", action="store_true", help="tell what would happen, write nothing to the database"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
        parser.add_argument("--no-progress", action="store_true", help="show no progress on a terminal")

    def handle(self, *args: Any, **options: Any) -> None:
        """Import. CommandError if nothing can be imported, or something was rejected."""
        try:
            self._import(options)
        except CostTrackError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError("Interrupted; nothing was imported.", returncode=INTERRUPTED) from None

    def _import(self, options: dict[str, Any]) -> None:
        file, column_options = _file_and_columns(options)
        file_format = _format(file, options)
        translator = _translator(column_options, options)
        with ExitStack() as stack:
            source = stack.enter_context(open_source(file, stdin=sys.stdin.buffer))
            records: Records = CsvRecords(source) if file_format == "csv" else JsonRecords(source)
            rows = iter(records)
            sample = list(islice(rows, SAMPLE_ROWS))
            if file_format == "jsonl":
                check_is_jsonl(sample, name=source.name)
            translator.check(records.columns, sample)
            as_json = file_format == "jsonl"
            paths = [Path(options["rejects"])] if options["rejects"] else rejects_candidates(file, as_json=as_json)
            if file != "-" and any(path.exists() and path.samefile(file) for path in paths):
                raise CommandError(f"--rejects {paths[0]} is the file to import.")
            rejects = RejectsFile(paths, as_json=as_json)
            stack.callback(rejects.close)
            scopes = {name: options[name].strip() for name in ("organization", "project", "agent")}
            self._warn_of_new_organization(scopes, is_dry=options["dry_run"])
            find_scopes = missing_scopes if options["dry_run"] else create_scopes
            created = find_scopes(**scopes, using=settings.database)
            progress = Progress(self.stderr, source, is_shown=not options["no_progress"] and self.stderr.isatty())
            interrupt = PatientInterrupt()
            name = options["source"] or source_name(records.header, sample[0] if sample else None)
            preview = Preview(source=name, creates=scopes["organization"], using=settings.database)
            run = ImportRun(
                source=name,
                defaults=scopes | {"provider": options["provider"], "model": options["model"]},
                reject=rejects.add,
                using=settings.database,
                after_batch=lambda summary: _after_batch(summary, progress),
                held=interrupt.held,
                preview=preview if options["dry_run"] else None,
            )
            failure = _failure_of(run, translator, chain(sample, rows), interrupt)
            progress.clear()
            rejects.close()
            result = summary_object(run, source, created=created, skipped=translator.skipped, rejects=rejects.path)
            result["interrupted"] = isinstance(failure, KeyboardInterrupt)
            self.stdout.write(json.dumps(result) if options["json"] else summary_text(result, run.summary))
            _raise_for(failure, run, result)

    def _warn_of_new_organization(self, scopes: dict[str, str], *, is_dry: bool) -> None:
        """Say it before anything is written: a mistyped organization escapes every budget."""
        if any(one.startswith("organization ") for one in missing_scopes(**scopes, using=settings.database)):
            slug = scopes["organization"]
            similar = similar_organizations(slug, using=settings.database)
            question = f" Did you mean {' or '.join(similar)}?" if similar else ""
            warning = f"Organization {slug} does not exist yet: it {'would be' if is_dry else 'is'} created.{question}"
            self.stderr.write(warning, style_func=self.style.WARNING)


def _file_and_columns(options: dict[str, Any]) -> tuple[str, list[str]]:
    """FILE, also where it stands behind --map a=b and argparse took it for another mapping; and the mappings."""
    columns: list[str] = list(options["map"])
    if options["file"]:
        return options["file"], columns
    files = [one for one in columns if "=" not in one]
    if len(files) != 1:
        raise CommandError("Name the FILE to import; - is standard input.")
    columns.remove(files[0])
    return files[0], columns


def _format(file: str, options: dict[str, Any]) -> str:
    if options["format"]:
        return str(options["format"])
    if options["preset"] == "claude-code":
        return "jsonl"
    suffix = Path(file.removesuffix(".gz")).suffix.lower()
    if suffix in CSV_SUFFIXES:
        return "csv"
    if suffix in JSONL_SUFFIXES:
        return "jsonl"
    raise CommandError(f"The suffix of {file} does not tell its format: add --format csv or --format jsonl.")


def _translator(column_options: list[str], options: dict[str, Any]) -> Translator:
    columns = parse_column_options(column_options)
    if len(options["source"]) > MAX_SOURCE_LENGTH:
        raise CommandError(f"--source: at most {MAX_SOURCE_LENGTH} characters.")
    try:
        zone = ZoneInfo(options["timezone"])
    except (KeyError, ValueError, OSError):
        raise CommandError(
            f"--timezone {options['timezone']} is no IANA time zone name; expected one like Europe/Berlin."
        ) from None
    if options["preset"] == "litellm":
        return LiteLLMTranslator(columns, zone=zone)
    if options["preset"] == "claude-code":
        return ClaudeCodeTranslator(columns, now=datetime.now(UTC), zone=zone, folder_is_project=not options["project"])
    return ColumnTranslator(columns, zone=zone)


def _after_batch(summary: ImportSummary, progress: Progress) -> None:
    reset_queries()  # with DEBUG Django keeps the text of every query, which is most of the file
    progress.show(summary)


def _failure_of(
    run: ImportRun, translator: Translator, records: Iterable[Record], interrupt: PatientInterrupt
) -> BaseException | None:
    """Write everything; what stopped it on the way, if anything did. `run.summary` holds what has landed."""
    try:
        with interrupt.active():
            run.write(translator.drafts(records))
    except (KeyboardInterrupt, CostTrackError, DatabaseError) as failure:
        return failure
    return None


def _raise_for(failure: BaseException | None, run: ImportRun, result: dict[str, Any]) -> None:
    """CommandError, and so the exit status, for what went wrong."""
    summary = run.summary
    if failure is not None:
        landed = (
            "Nothing was written."
            if run.is_dry
            else f"{counted(summary.recorded, 'row')} landed; running the same command again adds only the rest."
        )
        if isinstance(failure, KeyboardInterrupt):
            raise CommandError(f"Interrupted. {landed}", returncode=INTERRUPTED)
        raise CommandError(f"{str(failure).strip()} {landed}") from failure
    refused = summary.rejected + summary.conflicts
    if refused:
        verb = "would not be" if run.is_dry else "was not" if refused == 1 else "were not"
        raise CommandError(
            f"{counted(refused, 'row')} {verb} imported: see {result['rejects_file']}. "
            f"Mend {'it' if refused == 1 else 'them'} in the file itself and import "
            f"{'the file' if refused == 1 else 'it'} again with --source {result['source']}; "
            "the others are not charged twice."
        )
