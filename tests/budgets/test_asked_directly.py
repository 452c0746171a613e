"""A reservation in a transaction of its own is asked for by libpq: its errors and interruptions are as by a cursor."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from types import FrameType

import pytest
from django.db import DataError, IntegrityError, OperationalError, connection

from costtrack.budgets.backends.prepared import value_of
from costtrack.exceptions import BudgetExceeded
from tests.budgets.asked import figures, hold, make_budget
from tests.factories import make_organization

pytestmark = pytest.mark.django_db(transaction=True)


class TimeLimit(Exception):
    """As Celery raises in a task's main thread, from a signal handler."""


@pytest.fixture(autouse=True)
def may_prepare() -> Iterator[None]:
    """As with `prepare_threshold` in the OPTIONS of the database."""
    connection.close()
    connection.ensure_connection()
    connection.connection.prepare_threshold = 1
    yield
    connection.close()


def test_it_holds_and_refuses_as_ever() -> None:
    budget = make_budget(make_organization(), "0.5")
    for _ in range(2):
        hold("0.25")
    with pytest.raises(BudgetExceeded) as refused:
        hold("0.01")
    assert (refused.value.figures["limit"], refused.value.figures["held"]) == (Decimal("0.5"), Decimal("0.5"))
    assert figures(budget) == (Decimal(0), Decimal("0.5"))
    assert prepared() == ["SELECT costtrack_reserve($1)"]


def test_what_the_server_refuses_is_djangos_error_and_the_connection_goes_on() -> None:
    with pytest.raises(DataError, match="invalid input syntax"):
        value_of(connection, "SELECT (%s::bigint)::text", "no number")
    assert value_of(connection, "SELECT (%s::bigint)::text", "7") == "7"


def test_a_statement_that_cannot_be_prepared_is_djangos_error_each_time() -> None:
    for _ in range(2):
        with pytest.raises(Exception, match="no_such_function"):
            value_of(connection, "SELECT no_such_function(%s)", "x")


def test_what_the_server_has_forgotten_is_asked_all_the_same() -> None:
    budget = make_budget(make_organization())
    hold("0.25")
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
    hold("0.25")
    hold("0.25")
    assert figures(budget)[1] == Decimal("0.75")


def test_a_function_that_a_migration_has_made_anew_is_asked_all_the_same() -> None:
    def define(kind: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DROP FUNCTION IF EXISTS pg_temp.echo(text)")
            cursor.execute(
                f"CREATE FUNCTION pg_temp.echo(said text) RETURNS {kind} LANGUAGE sql AS 'SELECT said::{kind}'"
            )

    define("text")
    assert value_of(connection, "SELECT pg_temp.echo(%s)", "7") == "7"
    define("varchar")
    assert value_of(connection, "SELECT pg_temp.echo(%s)", "7") == "7"
    assert value_of(connection, "SELECT pg_temp.echo(%s)", "7") == "7"


def test_what_fails_at_the_commit_is_no_answer() -> None:
    """Its error comes behind the answer: here a constraint that is checked at the end."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE late (id int UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO late VALUES (1);"
            "CREATE FUNCTION pg_temp.again(said text) RETURNS text LANGUAGE sql AS "
            "'INSERT INTO late VALUES (1); SELECT said'"
        )
    with pytest.raises(IntegrityError, match="late_id_key"):
        value_of(connection, "SELECT pg_temp.again(%s)", "x")
    assert value_of(connection, "SELECT %s::text", "goes on") == "goes on"


def test_in_a_pipeline_it_is_asked_by_a_cursor() -> None:
    with connection.connection.pipeline():
        assert value_of(connection, "SELECT %s::text", "x") == "x"


def test_a_long_question_is_sent_whole() -> None:
    text = "x" * 20_000_000  # more than the socket takes at once
    assert value_of(connection, "SELECT length(%s::text)::text", text) == "20000000"


def test_a_lost_connection_is_djangos_error_and_the_next_question_has_a_new_one() -> None:
    with pytest.raises(OperationalError):
        value_of(connection, "SELECT pg_terminate_backend(pg_backend_pid())::text || %s", "")
    connection.close_if_unusable_or_obsolete()
    connection.close()
    assert value_of(connection, "SELECT %s::text", "again") == "again"


@pytest.mark.parametrize("error", [KeyboardInterrupt, TimeLimit])
def test_a_signal_handler_that_raises_ends_the_wait_and_the_connection(error: type[BaseException]) -> None:
    def raise_it(number: int, frame: FrameType | None) -> None:
        raise error

    former = signal.signal(signal.SIGUSR1, raise_it)
    main = threading.get_ident()
    timer = threading.Timer(0.2, lambda: signal.pthread_kill(main, signal.SIGUSR1))
    began = time.monotonic()
    try:
        timer.start()
        with pytest.raises(error):
            value_of(connection, "SELECT pg_sleep(%s::float)::text", "30")
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, former)
    assert time.monotonic() - began < 20
    assert connection.connection is None
    assert value_of(connection, "SELECT %s::text", "again") == "again"


def prepared() -> list[str]:
    """What this connection has prepared, but for what is asked here."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT statement FROM pg_prepared_statements WHERE statement LIKE '%costtrack_reserve(%' LIMIT 9"
        )
        return [row[0] for row in cursor.fetchall() if "pg_prepared_statements" not in row[0]]
