from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from costtrack.aggregation import verify_books
from costtrack.metering.corrections import adjust_usage
from costtrack.metering.ledger import record_events
from costtrack.metering.partitions import coming_months, create_partitions, default_partition_months, partition_name
from costtrack.models import ResourceUsage
from tests.factories import make_event, make_organization, make_rate

pytestmark = pytest.mark.django_db

LONG_AGO = datetime(2023, 11, 16, 18, 15, tzinfo=UTC)


@pytest.fixture(autouse=True)
def acme() -> None:
    make_rate()
    make_organization()


def home_of(usage_id: int | None) -> str:
    """The table that holds the row."""
    if connection.vendor == "sqlite":
        return "costtrack_resourceusage"
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM costtrack_resourceusage WHERE id = %s", [usage_id])
        return str(cursor.fetchone()[0])


def expected(table: str) -> str:
    """SQLite has one plain table."""
    return "costtrack_resourceusage" if connection.vendor == "sqlite" else table


def test_this_month_and_the_coming_three_exist_from_the_first_migration() -> None:
    today = datetime.now(UTC).date()
    report = create_partitions(coming_months(today))
    assert report.created == ()
    [result] = record_events([make_event(occurred_at=datetime.now(UTC))])
    assert home_of(result.usage_id) == expected(partition_name(today.replace(day=1)))


def test_a_batch_that_may_makes_its_missing_month_first() -> None:
    [result] = record_events([make_event(occurred_at=LONG_AGO)], creates_partitions=True)
    assert home_of(result.usage_id) == expected("costtrack_resourceusage_y2023m11")


def test_without_a_partition_the_default_one_takes_the_row() -> None:
    [result] = record_events([make_event(occurred_at=LONG_AGO)])
    assert home_of(result.usage_id) == expected("costtrack_resourceusage_default")
    assert ResourceUsage.objects.get().day == date(2023, 11, 16)


def test_a_month_with_rows_in_the_default_partition_is_reported_then_moved_out() -> None:
    [result] = record_events([make_event(occurred_at=LONG_AGO)])
    assert result.usage_id
    adjustment = adjust_usage(result.usage_id, reason="invoice", cost_usd="0.5")
    is_partitioned = connection.vendor == "postgresql"
    assert create_partitions([LONG_AGO.date()]).blocked == ((date(2023, 11, 1),) if is_partitioned else ())
    assert default_partition_months() == ([date(2023, 11, 1)] if is_partitioned else [])
    report = create_partitions([LONG_AGO.date()], move_default_rows=True)
    assert report.moved_rows == (2 if is_partitioned else 0)
    for usage_id in (result.usage_id, adjustment.id):
        assert home_of(usage_id) == expected("costtrack_resourceusage_y2023m11")
    assert verify_books() == []
    assert ResourceUsage.objects.count() == 2


def test_the_ledger_is_append_only_again_after_rows_were_moved() -> None:
    record_events([make_event(occurred_at=LONG_AGO)])
    create_partitions([LONG_AGO.date()], move_default_rows=True)
    with pytest.raises(Exception, match="append-only"):
        ResourceUsage.objects.update(calls=1)


def test_the_command_makes_months_ahead_and_clears_the_default_partition(capsys) -> None:
    record_events([make_event(occurred_at=LONG_AGO)])
    call_command("partition_usage", "--months", "5", "--move-default-rows")
    out = capsys.readouterr().out
    if connection.vendor == "sqlite":
        assert "no partitions" in out
    else:
        assert "2023-11" in out
        assert "Moved 1 row(s)" in out
    with pytest.raises(CommandError, match="expected 0 to 120"):
        call_command("partition_usage", "--months", "121")


def test_a_query_for_a_month_reads_that_partition_alone() -> None:
    record_events([make_event(occurred_at=LONG_AGO), make_event()], creates_partitions=True)
    november = ResourceUsage.objects.filter(day__gte=date(2023, 11, 1), day__lt=date(2023, 12, 1))
    assert november.count() == 1
    plan = november.explain()
    others = ("y2026m11", "_default")
    assert not any(other in plan for other in others), plan


def test_coming_months_cross_the_year() -> None:
    assert coming_months(date(2026, 11, 30)) == [
        date(2026, 11, 1),
        date(2026, 12, 1),
        date(2027, 1, 1),
        date(2027, 2, 1),
    ]
