"""`manage.py record_plan`: a plan of what a run will need, from a file."""

from __future__ import annotations

import json
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from django.core.management.base import CommandError

from costtrack.exceptions import CostTrackError
from costtrack.management.base import BaseCommand
from costtrack.management.organizations import given_slug
from costtrack.metering.plans.given import given_plan
from costtrack.metering.plans.record import RETENTION, record_given_plan
from costtrack.models import CostPlan
from costtrack.reporting.run_shapes import plan_shape
from costtrack.reporting.wording import one_line, usd_text
from costtrack.reporting.zones import reporting_zone

MAX_FILE_BYTES = 4 << 20

DESCRIPTION = """\
Record what a run will need and cost, from a YAML or JSON file.

  name: docs
  project: website
  max_calls: 12
  cost_cap: 0.05
  model: gpt-4o
  selection: {ids: [7, 8, 9], chapters: [Intro, Usage]}
  filters: {language: en}
  workflows:
    - {workflow_id: outline, estimated_calls: 2, estimated_prompt_tokens: 2000, estimated_completion_tokens: 200}
    - {workflow_id: draft, estimated_calls: 8, prompt_words_estimate: 6000, estimated_completion_tokens: 1600}

Besides: organization, stage, selected_count, provider, and where they are not to be summed over the workflows
estimated_calls, estimated_prompt_tokens, estimated_total_tokens, estimated_cost_usd (else from the rates in force) and
cost_per_1k_tokens. The same plan as the newest of its name is not stored twice. A wrong field stores nothing.
"""


class Command(BaseCommand):
    """Record a plan."""

    help = DESCRIPTION

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Keep the line breaks of the help."""
        return super().create_parser(prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """FILE and how to take it."""
        parser.add_argument("file", metavar="FILE", help="the plan, as YAML or JSON")
        parser.add_argument(
            "--organization", type=given_slug, metavar="SLUG", help="whose plan it is, whatever the file says"
        )
        parser.add_argument(
            "--project", type=given_slug, metavar="SLUG", help="of which project, whatever the file says"
        )
        parser.add_argument(
            "--retention",
            type=int,
            default=RETENTION,
            metavar="N",
            help=f"how many snapshots of its name are kept (default {RETENTION})",
        )
        parser.add_argument("--json", action="store_true", help="print the snapshot as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Read, record, say what was recorded."""
        path = Path(options["file"])
        try:
            plan = given_plan(_read(path))
            said = {name: options[name] for name in ("organization", "project") if options[name]}
            snapshot = record_given_plan(replace(plan, **said), retention=options["retention"])
        except CostTrackError as error:
            raise CommandError(f"{path}: nothing was recorded. {error}") from None
        if options["json"]:
            shape = plan_shape(snapshot, zone=reporting_zone(snapshot.organization))
            self.stdout.write(json.dumps(shape, ensure_ascii=False))
        else:
            self.stdout.write(_as_text(snapshot))


def _read(path: Path) -> object:
    """What the file says. YAML holds JSON, too."""
    if not path.is_file():
        raise CommandError(f"There is no file {path}.")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise CommandError(f"{path} is longer than {MAX_FILE_BYTES:,} bytes. A plan names what is selected by ids.")
    try:
        text = path.read_text(encoding="utf-8")
        return json.loads(text) if path.suffix.lower() == ".json" else yaml.safe_load(text)
    except UnicodeDecodeError:
        raise CommandError(f"{path} is no text in UTF-8.") from None
    except json.JSONDecodeError as error:
        raise CommandError(f"{path} is no JSON: {error}.") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise CommandError(f"{path} is no YAML: {' '.join(str(error).split())}.") from None


def _as_text(plan: CostPlan) -> str:
    project = f", project {plan.project.slug}" if plan.project else ""
    cost = "its cost is not known" if plan.estimated_cost_usd is None else f"about {usd_text(plan.estimated_cost_usd)}"
    basis = " by the rates in force" if plan.cost_basis == CostPlan.CostBasis.RATES else ""
    calls = "" if plan.estimated_calls is None else f", {plan.estimated_calls:,} calls"
    lines = [
        f"Plan {plan.plan_id} of {one_line(plan.name)} ({plan.organization.slug}{project}): {cost}{basis}{calls}.",
        f"It is snapshot {plan.sequence} of that name; {plan.pruned_count} older ones are gone.",
    ]
    if plan.exceeds_cost_cap and plan.cost_cap is not None:
        lines.append(f"WARNING: that is above its cost_cap of {usd_text(plan.cost_cap)}.")
    if plan.exceeds_max_calls:
        lines.append(f"WARNING: that is more than its max_calls of {plan.max_calls:,}.")
    return "\n".join(lines)
