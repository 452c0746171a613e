"""A script whose connection was lost, by a restart of the database for one, goes on as soon as the database answers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from costtrack.metering.lost_connection import asked_again
from costtrack.metering.meter import meter
from costtrack.metering.record import record_usage
from costtrack.metering.reserve import reserve
from costtrack.models import Hold, Organization
from costtrack.pricing.ratebook import forget_rates
from tests.factories import make_organization, make_rate
from tests.metering.budgeted import make_budget, states

pytestmark = pytest.mark.django_db(transaction=True)

CALL: dict[str, Any] = {"organization": "acme", "provider": "openai", "model": "test-model"}


@pytest.fixture
def acme(settings: Any) -> Organization:
    """Metered by the spool."""
    settings.COSTTRACK = {"TRANSPORT": "spool"}
    make_rate()
    return make_organization()


def test_a_call_is_admitted_over_a_new_connection(acme: Organization) -> None:
    """The rates are asked for first: it is there that the loss is noticed."""
    make_budget(acme)
    metered()
    forget_rates()
    lose_the_connection()
    metered()
    assert Hold.objects.count() == 2


def test_a_hold_is_released_over_a_new_connection(acme: Organization) -> None:
    make_budget(acme)
    with pytest.raises(ZeroDivisionError), reserve(**CALL, input_tokens=1000, max_output_tokens=1000):
        fail_without_a_connection()
    assert states() == ["released"]


def test_what_a_recorded_call_costs_is_asked_for_over_a_new_connection(acme: Organization) -> None:
    usage = record_usage(**CALL, input_tokens=1000, output_tokens=100)
    lose_the_connection()
    assert usage.cost_usd == Decimal("0.0045")


def test_while_the_database_is_away_the_cost_of_a_recorded_call_is_not_known_and_nothing_raises(
    acme: Organization, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    usage = record_usage(**CALL, input_tokens=1000, output_tokens=100)

    def away(*_: object, **__: object) -> None:
        raise OperationalError("away")

    monkeypatch.setattr("costtrack.pricing.ratebook.stored_rates", away)
    forget_rates()
    assert (usage.cost_usd, usage.cost_source) == (None, None)
    assert "could not be priced yet: OperationalError away" in caplog.text


def test_inside_a_transaction_nothing_is_done_twice(acme: Organization) -> None:
    asked: list[int] = []

    def work() -> None:
        asked.append(1)
        raise OperationalError("lost")

    with pytest.raises(OperationalError, match="lost"), transaction.atomic():
        asked_again(work, using="default")
    assert asked == [1]


def test_over_a_connection_that_works_nothing_is_done_twice(acme: Organization) -> None:
    asked: list[int] = []

    def work() -> None:
        asked.append(1)
        raise OperationalError("canceling statement due to lock timeout")

    with pytest.raises(OperationalError, match="lock timeout"):
        asked_again(work, using="default")
    assert asked == [1]


def metered() -> None:
    with meter("chat", **CALL, input_tokens=1000, max_output_tokens=1000) as call:
        call.set_usage(input_tokens=1000, output_tokens=100)  # 0.0045


def fail_without_a_connection() -> None:
    lose_the_connection()
    raise ZeroDivisionError


def lose_the_connection() -> None:
    """As when the server ends it; SQLite's can not be lost, so there it is merely closed."""
    connection.ensure_connection()
    if connection.vendor == "postgresql":
        connection.connection.pgconn.finish()
    else:
        connection.close()
