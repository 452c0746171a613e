"""The books of very many small rows beside a large one: sums do not drift, and a rebuild leaves right ones right."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection

from costtrack.aggregation import fold_pending, rebuild_summaries, verify_books
from costtrack.aggregation.sql import LEDGER_TABLE, SUMMARY_TABLE
from costtrack.budgets.counters import ledger_sum
from costtrack.domain.budget_periods import period_at
from costtrack.metering.ledger import record_events
from costtrack.models import DailyCostSummary, Organization, ResourceUsage
from tests.factories import NOON, make_event, make_organization
from tests.metering.budgeted import make_budget

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

ROWS = 60_000
EXACT = Decimal("400.00000006")
"""400 + 60,000 x 0.000000000001. Floats of that size are 6e-14 apart: added one by one, these come to 1e-9 more."""


@pytest.fixture
def booked() -> None:
    """A row of 400 dollars, then 60,000 of the smallest cost that there is, in the ledger and in the summaries."""
    record_events([make_event(reported_cost_usd=Decimal(400)), make_event(reported_cost_usd=Decimal("1e-12"))])
    fold_pending()
    names = [field.column for field in ResourceUsage._meta.concrete_fields if field.column != "id"]
    columns = ", ".join(f'"{name}"' for name in names)
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS}) "
            f"INSERT INTO {LEDGER_TABLE} ({columns}) SELECT {columns} FROM {LEDGER_TABLE}, n WHERE cost_usd < 1"
        )
        more = ROWS - 1  # 1,000 tokens in and 100 out, 250 ms each
        cursor.execute(
            f"UPDATE {SUMMARY_TABLE} SET calls = calls + %s, input_tokens = input_tokens + %s, output_tokens = "
            "output_tokens + %s, latency_ms = latency_ms + %s, timed_calls = timed_calls + %s, amount = amount + %s, "
            "cost_usd = %s, cost_reported_usd = %s",
            [more, 1000 * more, 100 * more, 250 * more, more, 1100 * more, str(EXACT), str(EXACT)],
        )


@pytest.fixture(autouse=True)
def acme() -> None:
    make_organization()


def test_right_books_are_proved_and_a_rebuild_leaves_them_right(booked: None) -> None:
    assert verify_books() == []
    rebuild_summaries(start=NOON.date(), end=NOON.date() + timedelta(days=1))
    assert {row.cost_usd for row in DailyCostSummary.all_grains.all()} == {EXACT}
    assert verify_books() == []


def test_a_counter_is_told_the_same(booked: None) -> None:
    acme = Organization.objects.get()
    rule = make_budget(acme, "1000").rule()
    assert ledger_sum(rule, "", period_at(rule.period, NOON, acme.zone_history()), using="default") == EXACT
