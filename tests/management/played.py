"""Playing the demo in tests, and counting what is there."""

from __future__ import annotations

from datetime import UTC, date, datetime
from io import StringIO
from typing import Any

import time_machine
from django.core.management import call_command
from django.test import override_settings

from costtrack.management.demo.run import run_demo
from costtrack.management.demo.traffic import days_until
from costtrack.models import Agent, DailyCostSummary, Organization, Project, ResourceUsage, UsageKey

WEDNESDAY = date(2026, 11, 25)
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
OURS = (Organization, Project, Agent, ResourceUsage, UsageKey, DailyCostSummary)


def demo(*arguments: str) -> str:
    """What the command prints on a developer's machine."""
    out = StringIO()
    with override_settings(DEBUG=True):
        call_command("costtrack_demo", *arguments, stdout=out)
    return out.getvalue()


def play_quickly(*, days: int = 1, **options: Any) -> None:
    """Traffic without any rate, up to noon of that Wednesday."""
    with time_machine.travel(NOON):
        run_demo(days_until(WEDNESDAY, days=days), seed=1, now=NOON, using="default", **options)


def counts() -> list[int]:
    """The rows of each table that the demo fills."""
    return [model._base_manager.count() for model in OURS]
