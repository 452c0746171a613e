"""The migration that counts the calls with a latency: from the ledger, for what is folded and what is pending."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from importlib import import_module

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Sum

from costtrack.aggregation import fold_pending, rebuild_summaries, verify_books
from costtrack.aggregation.sql import SUMMARY_TABLE
from costtrack.metering.corrections import void_usage
from costtrack.metering.ledger import record_events
from costtrack.metering.ledger.sums import SUMMARY_COLUMNS
from costtrack.models import DailyCostSummary, ResourceUsage
from costtrack.models.summaries import GRAINS
from costtrack.reporting.totals import usage_totals
from tests.factories import NOON, make_event, make_organization, make_rate

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.any_database]

BEFORE, AFTER = "0016_reserve_by_known_limits", "0017_timed_calls"


def migrate_to(name: str) -> None:
    MigrationExecutor(connection).migrate([("costtrack", name)])


@pytest.fixture(autouse=True)
def migrated() -> Iterator[None]:
    """All of it is there again after the test, whatever it does."""
    yield
    call_command("migrate", "costtrack", verbosity=0)


def book_two_months() -> None:
    """Nine calls of two organizations on days 40 days apart, six of them timed, one of these taken back.

    Some are folded, some pending; of the latter some at dimensions that have no folded row.
    """
    make_rate()
    make_organization()
    make_organization("globex")
    early = NOON - timedelta(days=40)
    record_events(
        [
            make_event(attribution={"project": "p", "endpoint": "e1"}, latency_ms=100),
            make_event(attribution={"project": "p", "endpoint": "e1"}, latency_ms=None),
            make_event(attribution={"project": "q"}, latency_ms=200, occurred_at=early),
            make_event(attribution={"organization": "globex"}, latency_ms=None, occurred_at=early),
        ]
    )
    fold_pending()
    record_events(
        [
            make_event(attribution={"project": "p", "endpoint": "e1"}, latency_ms=300),
            make_event(attribution={"project": "r"}, latency_ms=0),
            make_event(attribution={"project": "r"}, latency_ms=None, model="unknown"),
            make_event(attribution={"organization": "globex"}, latency_ms=400),
            make_event(attribution={"organization": "globex"}, latency_ms=9999),
        ]
    )
    void_usage(ResourceUsage.objects.get(latency_ms=9999), reason="sent twice")


def timed(grain: str) -> int:
    """How many calls are timed at the grain, and pending."""
    return int(DailyCostSummary.objects.at_grain(grain).aggregate(of=Sum("timed_calls"))["of"])


def check() -> None:
    assert {grain: timed(grain) for grain in GRAINS} == dict.fromkeys(GRAINS, 5)
    # (100 + 200 + 300 + 0 + 400) / 5 = 200
    assert usage_totals().overall.average_latency_ms == Decimal(200)
    assert verify_books() == []


def test_it_counts_what_is_folded_and_what_is_pending() -> None:
    book_two_months()
    check()
    migrate_to(BEFORE)
    migrate_to(AFTER)
    check()
    fold_pending()
    check()


def test_filled_again_nothing_changes() -> None:
    book_two_months()
    filled = import_module(f"costtrack.migrations.{AFTER}")
    for _ in range(2):
        with connection.schema_editor(atomic=False) as editor:
            filled.fill(apps, editor)
        check()
    fold_pending()
    check()


def test_code_of_before_goes_on_booking_and_the_proof_tells_what_it_left_out() -> None:
    make_rate()
    make_organization()
    record_events([make_event(latency_ms=100)])
    days = {"start": NOON.date(), "end": NOON.date() + timedelta(days=1)}
    with connection.cursor() as cursor:  # a statement of before does not name the column
        names = ", ".join(name for name in SUMMARY_COLUMNS if name != "timed_calls")
        cursor.execute(f"CREATE TEMPORARY TABLE kept AS SELECT {names} FROM {SUMMARY_TABLE}")
        cursor.execute(f"DELETE FROM {SUMMARY_TABLE}")
        cursor.execute(f"INSERT INTO {SUMMARY_TABLE} ({names}) SELECT {names} FROM kept")
        cursor.execute("DROP TABLE kept")
    assert {name for one in verify_books() for name in one.ledger_minus_summary} == {"timed_calls"}
    rebuild_summaries(**days)
    assert verify_books() == []


def test_an_empty_database_is_migrated_too() -> None:
    migrate_to(BEFORE)
    migrate_to(AFTER)
    assert DailyCostSummary.all_grains.count() == 0
