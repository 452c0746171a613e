"""The reserving statement is prepared where a site lets its connections prepare, and only there."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from costtrack.budgets.backends.prepared import value_of
from costtrack.exceptions import BudgetExceeded
from costtrack.models import Organization
from tests.budgets.asked import figures, hold, make_budget

IS_POSTGRES = connection.vendor == "postgresql"


@pytest.fixture
def may_prepare(acme: Organization) -> Iterator[None]:
    """As with `prepare_threshold` in the OPTIONS of the database; SQLite knows no such thing."""
    yield from with_threshold(1)


@pytest.fixture
def may_not_prepare(acme: Organization) -> Iterator[None]:
    """As Django has it by itself."""
    yield from with_threshold(None)


def with_threshold(threshold: int | None) -> Iterator[None]:
    """Have this test's connection prepare from so many uses on."""
    raw = connection.connection
    before = getattr(raw, "prepare_threshold", None)
    if IS_POSTGRES:
        raw.prepare_threshold = threshold
    yield
    if IS_POSTGRES:
        raw.prepare_threshold = before


def test_with_a_threshold_it_is_prepared_once_and_holds_as_ever(acme: Organization, may_prepare: None) -> None:
    budget = make_budget(acme, "0.5")
    for _ in range(2):
        hold("0.25")
    with pytest.raises(BudgetExceeded) as refused:
        hold("0.01")
    assert refused.value.figures["held"] == Decimal("0.5")
    assert figures(budget) == (Decimal(0), Decimal("0.5"))
    assert reserving_statements() == (1 if IS_POSTGRES else 0)


def test_without_a_threshold_nothing_is_prepared(acme: Organization, may_not_prepare: None) -> None:
    """A pooler between may hand the next statement to another server's connection."""
    make_budget(acme)
    for _ in range(7):  # psycopg's own threshold is 5
        hold("0.01")
    assert reserving_statements() == 0


def test_who_logs_queries_sees_it(acme: Organization, may_prepare: None) -> None:
    make_budget(acme)
    hold("0.01")
    with CaptureQueriesContext(connection) as seen:
        hold("0.01")
    assert any(reserving(query["sql"]) for query in seen.captured_queries)


def test_who_wraps_queries_sees_it(acme: Organization, may_prepare: None) -> None:
    make_budget(acme)
    hold("0.01")
    seen: list[str] = []

    def wrapper(execute, sql, params, many, context):
        seen.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(wrapper):
        hold("0.01")
    assert any(reserving(sql) for sql in seen)


def test_in_a_broken_transaction_it_raises_what_django_raises(may_prepare: None) -> None:
    with transaction.atomic():
        transaction.set_rollback(True)
        with pytest.raises(transaction.TransactionManagementError, match="until the end of the 'atomic' block"):
            value_of(connection, "SELECT %s", "x")


def test_what_the_database_refuses_raises_djangos_error(may_prepare: None) -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        value_of(connection, "SELECT no_such_function(%s)", "x")


def reserving(sql: str) -> bool:
    """Whether a statement is the one that reserves: on SQLite, the one that makes the hold."""
    return ("costtrack_reserve(" if IS_POSTGRES else 'INSERT INTO "costtrack_hold"') in sql


def reserving_statements() -> int:
    """How many statements that reserve this connection has prepared."""
    if not IS_POSTGRES:
        return 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%costtrack_reserve(%'")
        return int(cursor.fetchone()[0])
