"""A caller's transaction that is rolled back: spooled usage stays, usage that was written inline goes with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

import costtrack
from costtrack.aggregation import verify_books
from costtrack.models import Organization, ResourceUsage
from tests.factories import make_organization, make_rate
from tests.faults.metering import by_meter, by_record_usage

pytestmark = pytest.mark.django_db(transaction=True)


class Undone(Exception):
    """The caller's own failure."""


@pytest.fixture(autouse=True)
def acme() -> None:
    make_rate()
    make_organization()


def raised() -> None:
    raise Undone


def marked() -> None:
    transaction.set_rollback(True)


def broken() -> None:
    """The caller's own statement fails, and nothing more can be done in the transaction on PostgreSQL."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM no_such_table")


ENDINGS = [raised, marked, broken]


def metered_and_rolled_back(meter: Callable[[str], None], ending: Callable[[], None]) -> None:
    try:
        with transaction.atomic():
            make_organization("undone")
            with transaction.atomic():
                meter("k")
            ending()
    except (Undone, DatabaseError):
        pass
    assert not Organization.objects.filter(slug="undone").exists()


@pytest.mark.parametrize("meter", [by_record_usage, by_meter])
@pytest.mark.parametrize("ending", ENDINGS)
def test_spooled_usage_survives(spool_dir: Path, meter: Callable[[str], None], ending: Callable[[], None]) -> None:
    metered_and_rolled_back(meter, ending)
    assert costtrack.flush(20)
    assert [row.request_id for row in ResourceUsage.objects.all()] == ["k"]
    assert verify_books() == []


@pytest.mark.parametrize("meter", [by_record_usage, by_meter])
@pytest.mark.parametrize("ending", ENDINGS)
def test_inline_usage_goes_and_its_key_is_free_again(
    settings: Any, meter: Callable[[str], None], ending: Callable[[], None]
) -> None:
    settings.COSTTRACK = {"TRANSPORT": "inline"}
    metered_and_rolled_back(meter, ending)
    assert ResourceUsage.objects.count() == 0
    assert verify_books() == []
    meter("k")
    assert ResourceUsage.objects.get().request_id == "k"
    assert verify_books() == []


def test_usage_metered_in_a_transaction_that_is_broken_already_is_spooled_too(spool_dir: Path) -> None:
    try:
        with transaction.atomic():
            try:
                broken()
            finally:
                by_record_usage("k")
                by_meter("l")
    except DatabaseError:
        pass
    assert costtrack.flush(20)
    assert ResourceUsage.objects.count() == 2


def test_a_savepoint_that_is_rolled_back_takes_only_inline_usage_of_it(settings: Any) -> None:
    settings.COSTTRACK = {"TRANSPORT": "inline"}
    with transaction.atomic():
        by_record_usage("outside")
        try:
            with transaction.atomic():
                by_record_usage("inside")
                raised()
        except Undone:
            pass
        by_record_usage("after")
    assert sorted(row.request_id for row in ResourceUsage.objects.all()) == ["after", "outside"]
    assert verify_books() == []
