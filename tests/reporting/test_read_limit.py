from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
from django.db import connection, transaction

from costtrack.models import Organization
from costtrack.reporting.read_limit import ReadTooLong, limited_reading
from tests.factories import make_organization
from tests.slow_reads import has_limit, set_statement_timeout, sleep, statement_timeout


def broken_off(after_ms: int) -> Any:
    """What a database with a limit says of a statement that takes too long."""
    return pytest.raises(ReadTooLong, match=f"longer than {after_ms} ms") if has_limit() else nullcontext()


def limited_to(milliseconds: int, settings: Any) -> None:
    settings.COSTTRACK = {**settings.COSTTRACK, "READ_TIMEOUT_MS": milliseconds}


@pytest.mark.django_db(transaction=True)
def test_a_statement_that_takes_too_long_is_broken_off_and_the_connection_goes_on(settings: Any) -> None:
    limited_to(100, settings)
    with broken_off(100), limited_reading("default"):
        sleep(20)
    assert not connection.in_atomic_block
    assert not Organization.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_limit_is_of_each_statement_and_not_of_all_together(settings: Any) -> None:
    limited_to(600, settings)
    with limited_reading("default"):
        for _ in range(4):
            sleep(0.25)


@pytest.mark.django_db(transaction=True)
def test_it_holds_in_its_own_transaction_and_no_longer(settings: Any) -> None:
    outside = statement_timeout()
    with limited_reading("default"):
        assert statement_timeout() == ("10s" if has_limit() else "")
        assert connection.in_atomic_block is has_limit()
    assert statement_timeout() == outside


@pytest.mark.django_db(transaction=True)
def test_0_is_no_limit_and_no_transaction(settings: Any) -> None:
    limited_to(0, settings)
    with limited_reading("default"):
        assert not connection.in_atomic_block
        sleep(0.05)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("host_s", "ours"), [("0", "100ms"), ("50ms", "50ms"), ("2min", "100ms"), ("1d", "100ms"), ("100ms", "100ms")]
)
def test_of_the_host_s_limit_and_ours_the_shorter_one_holds_and_then_the_host_s_again(
    settings: Any, host_s: str, ours: str
) -> None:
    limited_to(100, settings)
    set_statement_timeout(host_s)
    with limited_reading("default"):
        assert statement_timeout() == (ours if has_limit() else "")
    assert statement_timeout() == (host_s if has_limit() else "")


@pytest.mark.django_db
def test_the_host_s_limit_is_the_one_that_is_told(settings: Any) -> None:
    set_statement_timeout("50ms")
    with broken_off(50), transaction.atomic(), limited_reading("default"):
        sleep(20)


@pytest.mark.django_db
def test_a_caller_s_transaction_has_its_own_limit_again_after_an_error_of_another_kind() -> None:
    set_statement_timeout("2min")
    with pytest.raises(ZeroDivisionError), limited_reading("default"):
        raise ZeroDivisionError
    assert statement_timeout() == ("2min" if has_limit() else "")


@pytest.mark.django_db
def test_in_a_caller_s_transaction_that_has_failed_the_error_is_the_one_that_was(settings: Any) -> None:
    limited_to(100, settings)
    with broken_off(100), transaction.atomic(), limited_reading("default"):
        sleep(20)
    make_organization()
    assert Organization.objects.count() == 1


@pytest.mark.django_db
def test_no_query_more_is_told_to_who_counts_them(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1), limited_reading("default"):
        list(Organization.objects.all())
