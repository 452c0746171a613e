"""Calls that Redis admits, from `meter` and `reserve` to the ledger, through the spool."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import connection, transaction

from costtrack.budgets.backends.redis_connections import forget_redis
from costtrack.budgets.redis_holds import holds_in_redis
from costtrack.exceptions import BudgetExceeded
from costtrack.metering import spool
from costtrack.metering.meter import meter
from costtrack.metering.reserve import reserve
from costtrack.models import Budget, Hold
from tests.budgets.admitting import counted
from tests.budgets.asked import make_budget
from tests.budgets.redis_scene import OwnRedis, assert_books_agree
from tests.factories import make_organization, make_rate

CALL: dict[str, Any] = {"organization": "acme", "provider": "openai", "model": "test-model"}
WORST = {"input_tokens": 1000, "max_output_tokens": 1000}
"""1000 x 3 + 1000 x 15 = 18000 per million: 0.018 USD."""

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server(settings, time_is_now: None) -> Iterator[OwnRedis]:
    """A Redis of this test's own, which admits; usage goes through the spool."""
    with OwnRedis() as own:
        settings.COSTTRACK = {
            "TRANSPORT": "spool",
            "BUDGET_BACKEND": "redis",
            "REDIS_URL": own.url,
            "REDIS_TIMEOUT_MS": 2000,
        }
        yield own
        forget_redis()


@pytest.fixture
def time_is_now() -> Iterator[None]:
    """The spool's threads and the servers have one clock."""
    with time_machine.travel(datetime.now(UTC), tick=True):
        yield


@pytest.fixture
def budget(server: OwnRedis) -> Budget:
    make_rate()
    return make_budget(make_organization(), "10", period="total")


def test_a_metered_call_is_held_by_redis_and_settled_with_its_event(server: OwnRedis, budget: Budget) -> None:
    with meter("chat", **CALL, **WORST) as call:
        assert call.hold_leases.endswith("=18000000")
        assert len(holds_in_redis(budget.organization_id, using="default")) == 1
        call.set_usage(input_tokens=1000, output_tokens=100)
    spool.flush(10)
    assert counted(budget) == (Decimal("0.0045"), 0, Decimal("0.982"))  # of 1, 0.018 were held
    assert holds_in_redis(budget.organization_id, using="default") == []
    assert Hold.objects.get().state == "settled"
    assert_books_agree(server)


def test_a_call_that_fails_gives_back_what_redis_holds(server: OwnRedis, budget: Budget) -> None:
    def fail() -> None:
        with reserve(**CALL, **WORST):
            assert len(holds_in_redis(budget.organization_id, using="default")) == 1
            raise RuntimeError("no answer")

    with pytest.raises(RuntimeError, match="no answer"):
        fail()
    assert holds_in_redis(budget.organization_id, using="default") == []
    assert Hold.objects.get().state == "released"
    assert_books_agree(server)


def test_reserve_settles_and_renews_what_redis_holds(server: OwnRedis, budget: Budget) -> None:
    with reserve(**CALL, **WORST) as hold:
        before = hold.expires_at
        assert before is not None
        assert (hold.renew(7200) or before) > before
        hold.settle(input_tokens=1000, output_tokens=100)
    spool.flush(10)
    assert counted(budget) == (Decimal("0.0045"), 0, Decimal("0.982"))
    assert_books_agree(server)


def test_what_redis_holds_is_not_part_of_the_callers_transaction(server: OwnRedis, budget: Budget) -> None:
    if connection.vendor == "sqlite":  # there a transaction has all of the database, which admits by itself
        with transaction.atomic(), meter("chat", **CALL, **WORST) as call:
            assert call.hold_leases == ""
        return
    with transaction.atomic():
        with meter("chat", **CALL, **WORST) as call:
            assert call.hold_leases != ""
            call.set_usage(input_tokens=1000, output_tokens=100)
        transaction.set_rollback(True)
    spool.flush(10)
    assert counted(budget).spent == Decimal("0.0045")
    assert_books_agree(server)


def test_a_full_budget_refuses_and_what_redis_has_of_it_can_be_used(server: OwnRedis, budget: Budget) -> None:
    most = {"input_tokens": 1000, "max_output_tokens": 100_000}  # 1.503 USD
    calls = 0

    def until_refused() -> None:
        nonlocal calls
        while True:
            with meter("chat", **CALL, **most) as call:
                calls += 1
                call.set_usage(input_tokens=1000, output_tokens=100_000)

    with meter("chat", **CALL, **WORST) as first:  # of a tenth of the budget
        first.set_usage(input_tokens=1000, output_tokens=1000)
    with pytest.raises(BudgetExceeded):
        until_refused()
    spool.flush(10)
    assert first.hold_leases != ""
    assert calls == 6
    assert counted(budget).spent == Decimal("9.036")  # 0.018 + 6 x 1.503
