"""The migrations of the coarser grains, with folded and pending summaries: there, back, and there again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Sum
from django.db.utils import DatabaseError, IntegrityError

from costtrack.aggregation import fold, fold_pending, verify_books
from costtrack.aggregation.sql import SUMMARY_TABLE
from costtrack.metering.ledger import record_events
from costtrack.models import DailyCostSummary
from costtrack.models.summaries import GRAINS, SUMS
from tests.factories import NOON, make_event, make_organization, make_rate, summed

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE, FILLED = "0013_found_recommendations", "0015_fill_coarser_grains"
AFTER = "0017_timed_calls"
"""All columns that summaries have now."""
COARSE = ("model", "org", "site")
VIEW = "costtrack_v_cost_per_day"


def migrate_to(name: str) -> None:
    executor = MigrationExecutor(connection)
    executor.migrate([("costtrack", name)])


@pytest.fixture(autouse=True)
def migrated() -> Iterator[None]:
    """All of it is there again after the test, whatever it does."""
    yield
    call_command("migrate", "costtrack", verbosity=0)


def book_two_months() -> None:
    """Of acme and globex, two models, on days 40 days apart: folded in two rounds, and some pending."""
    make_rate()
    make_rate("dear-model", per_million=("30", "60"))
    make_organization()
    make_organization("globex")
    early = NOON - timedelta(days=40)
    record_events(
        [
            make_event(attribution={"project": "p", "agent": "a", "endpoint": "e1"}),
            make_event(attribution={"project": "q", "endpoint": "e2", "sprint": "s"}, outcome="error"),
            make_event(attribution={"project": "p"}, model="dear-model", occurred_at=early),
            make_event(attribution={"organization": "globex"}, occurred_at=early),
            make_event(attribution={"organization": "globex"}, model="unknown"),
        ]
    )
    fold_pending()
    record_events([make_event(attribution={"project": "p", "endpoint": "e1"})])
    fold_pending()
    record_events([make_event(attribution={"project": "r"}, model="dear-model")])


def coarse_rows() -> list[tuple[Any, ...]]:
    rows = DailyCostSummary.all_grains.filter(grain__in=COARSE)
    found = rows.values_list("grain", "day", "organization__slug", "model", "calls", "cost_usd", "unpriced_calls")
    return sorted(((grain, str(day), *rest) for grain, day, *rest in found), key=str)


# test-model costs 0.0045 a call, dear-model (1000 x 30 + 100 x 60) / 1,000,000 = 0.036; dear-model's second is pending.
RIGHT = [
    ("model", "2026-10-11", "acme", "dear-model", 1, Decimal("0.036"), 0),
    ("model", "2026-10-11", "globex", "test-model", 1, Decimal("0.0045"), 0),
    ("model", "2026-11-20", "acme", "test-model", 3, Decimal("0.0135"), 0),
    ("model", "2026-11-20", "globex", "unknown", 1, Decimal(0), 1),
    ("org", "2026-10-11", "acme", "", 1, Decimal("0.036"), 0),
    ("org", "2026-10-11", "globex", "", 1, Decimal("0.0045"), 0),
    ("org", "2026-11-20", "acme", "", 3, Decimal("0.0135"), 0),
    ("org", "2026-11-20", "globex", "", 1, Decimal(0), 1),
    ("site", "2026-10-11", None, "dear-model", 1, Decimal("0.036"), 0),
    ("site", "2026-10-11", None, "test-model", 1, Decimal("0.0045"), 0),
    ("site", "2026-11-20", None, "test-model", 3, Decimal("0.0135"), 0),
    ("site", "2026-11-20", None, "unknown", 1, Decimal(0), 1),
]


def test_the_grains_are_filled_from_what_is_folded_and_taken_away_again() -> None:
    book_two_months()
    assert coarse_rows() == RIGHT
    migrate_to(BEFORE)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT DISTINCT grain FROM {SUMMARY_TABLE} ORDER BY grain")
        assert [grain for (grain,) in cursor.fetchall()] == ["agent", "pending", "project"]
        cursor.execute(f"SELECT count(*) FROM {VIEW}")
        assert cursor.fetchone() == (4,)
    migrate_to(AFTER)
    assert coarse_rows() == RIGHT
    assert verify_books() == []
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {VIEW}")
        assert cursor.fetchone() == (4,)


def test_what_is_folded_afterwards_is_added_to_the_rows_that_the_migration_made() -> None:
    book_two_months()
    migrate_to(BEFORE)
    migrate_to(AFTER)
    rows = DailyCostSummary.all_grains.filter(grain__in=COARSE)
    before = rows.count()
    record_events([make_event(), make_event(attribution={"organization": "globex"}, model="unknown")])
    fold_pending()
    # Of what was pending dear-model of acme's 20th is new, at the model and the site grain.
    assert rows.count() == before + 2
    assert verify_books() == []
    for grain in GRAINS:
        sums = DailyCostSummary.objects.at_grain(grain).aggregate(**{f"of_{name}": Sum(name) for name in SUMS})
        # 5 x 0.0045 + 2 x 0.036; of nine calls two have no price
        assert (summed(sums["of_cost_usd"]), sums["of_calls"], sums["of_unpriced_calls"]) == (Decimal("0.0945"), 9, 2)


def test_filling_again_changes_nothing() -> None:
    book_two_months()
    migrate_to("0014_coarser_grains")
    assert coarse_rows() == []
    for _ in range(2):
        migrate_to(FILLED)
        assert coarse_rows() == RIGHT
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM django_migrations WHERE app = 'costtrack' AND name = %s", [FILLED])
    migrate_to(AFTER)
    assert verify_books() == []


def test_an_empty_database_is_migrated_too() -> None:
    migrate_to(BEFORE)
    migrate_to(AFTER)
    assert DailyCostSummary.all_grains.count() == 0


def test_the_folds_of_before_fail_rather_than_to_leave_the_new_grains_out(monkeypatch: pytest.MonkeyPatch) -> None:
    book_two_months()
    insert = fold.insert_grain
    now, then = "WHERE NOT (grain IN ('pending', 'site'))", "WHERE NOT (grain = 'pending')"

    def as_before(*arguments: Any) -> str:
        assert now in insert(*arguments)
        return insert(*arguments).replace(now, then)

    monkeypatch.setattr(fold, "GRAINS", ("agent", "project"))
    monkeypatch.setattr(fold, "insert_grain", as_before)
    with pytest.raises(DatabaseError, match="ON CONFLICT"):
        fold_pending()
    assert DailyCostSummary.all_grains.filter(grain="pending").count() == 1
    assert verify_books() == []


@pytest.mark.parametrize(
    "fields",
    [
        {"grain": "month", "dimensions_hash": "0" * 32},
        {"grain": "site", "dimensions_hash": "0" * 32, "organization": "acme"},
        {"grain": "site", "dimensions_hash": None},
        {"grain": "org", "dimensions_hash": "0" * 32},
        {"grain": "model", "dimensions_hash": None, "organization": "acme"},
        {"grain": "pending", "dimensions_hash": None},
    ],
)
def test_the_database_refuses_a_row_that_is_of_no_grain(fields: dict[str, Any]) -> None:
    acme = make_organization()
    values = {**fields, "organization": acme if "organization" in fields else None, "day": NOON.date()}
    with pytest.raises(IntegrityError, match="costtrack_summary_grain_known"), transaction.atomic():
        DailyCostSummary.all_grains.create(**values)


def test_the_site_grain_has_one_row_of_a_kind() -> None:
    values: dict[str, Any] = {"grain": "site", "dimensions_hash": "0" * 32, "day": NOON.date()}
    DailyCostSummary.all_grains.create(**values)
    with pytest.raises(IntegrityError), transaction.atomic():
        DailyCostSummary.all_grains.create(**values)
    DailyCostSummary.all_grains.create(**{**values, "day": NOON.date() + timedelta(days=1)})
