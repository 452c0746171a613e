"""The jobs that keep the tables in order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from costtrack.jobs import upkeep
from costtrack.metering.ledger import record_events
from costtrack.models import BudgetAlert, DailyCostSummary, JobRun
from tests.factories import make_event, make_organization, make_rate

pytestmark = pytest.mark.django_db(transaction=True)


def test_each_says_what_it_did_and_is_noted() -> None:
    make_rate()
    make_organization()
    record_events([make_event(), make_event()])
    assert upkeep.fold_costs() == 1
    assert upkeep.fold_costs() == 0
    assert upkeep.make_partitions() == 0  # the migrations and the test before have made them
    assert upkeep.flush_leftovers() == 0
    assert upkeep.prove_books() == 0
    assert set(JobRun.objects.values_list("name", "last_error")) == {
        ("aggregate_costs", ""),
        ("flush_usage", ""),
        ("partition_usage", ""),
        ("verify_books", ""),
    }


def test_books_that_differ_are_counted_and_told_of() -> None:
    make_organization()
    record_events([make_event()])
    DailyCostSummary.all_grains.update(calls=7)
    assert upkeep.prove_books() > 0
    assert BudgetAlert.objects.get().kind == "books"


def test_the_commands_of_cron_are_noted_as_the_tasks_are(tmp_path: Path, settings: Any) -> None:
    settings.COSTTRACK = {"TRANSPORT": "spool", "SPOOL_DIR": tmp_path / "spool"}
    for command in (["aggregate_costs", "--verify"], ["partition_usage"], ["flush_usage"]):
        call_command(*command)
    noted = {"aggregate_costs", "verify_books", "flush_usage"}
    if connection.vendor == "postgresql":
        noted.add("partition_usage")
    assert set(JobRun.objects.values_list("name", flat=True)) == noted
