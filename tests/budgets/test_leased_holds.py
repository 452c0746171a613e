"""Holds of Redis, from their leases to what is spent: each is counted once, whatever comes in between."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction

from costtrack.budgets.admission import Granted
from costtrack.budgets.changes import change_budget
from costtrack.budgets.holds import release, renew, sweep_expired
from costtrack.budgets.leases import sweep_leases
from costtrack.budgets.redis_holds import holds_in_redis
from costtrack.domain.budget_rules import SCOPE
from costtrack.exceptions import BudgetExceeded
from costtrack.metering.ledger import record_events
from costtrack.models import BudgetLease, Organization
from tests.budgets.admitting import admitted, counted, granted, settle
from tests.budgets.asked import hold, make_budget
from tests.budgets.redis_scene import OwnRedis, assert_books_agree, end_all_leases
from tests.factories import NOON, make_event, make_organization, make_rate

LONG_AGO = timedelta(days=-400)
FACTS = {**dict.fromkeys(SCOPE, ""), "project_id": None, "agent_id": None}


@pytest.fixture
def acme(transactional_db: None) -> Organization:
    make_rate()
    return make_organization()


def test_what_remains_of_a_lease_goes_back_when_its_time_is_over(acme: Organization, server: OwnRedis) -> None:
    budget = make_budget(acme, "1")
    one, late = granted("0.05"), granted("0.05")
    settle(one)
    assert counted(budget) == (Decimal("0.0045"), 0, Decimal("0.05"))
    assert sweep_leases(using="default") == 0
    assert end_all_leases() == 1
    assert counted(budget) == (Decimal("0.0045"), 0, 0)
    settle(late)
    assert counted(budget) == (Decimal("0.009"), 0, 0)


def test_a_lease_lives_as_long_as_a_renewed_hold(acme: Organization, server: OwnRedis) -> None:
    make_budget(acme, "1")
    one = granted("0.01")
    before = BudgetLease.objects.get().expires_at
    assert renew(one.hold_id, timedelta(minutes=10), using="default")
    assert BudgetLease.objects.get().expires_at == before
    assert renew(one.hold_id, timedelta(hours=5), using="default")
    assert BudgetLease.objects.get().expires_at - before > timedelta(hours=4)
    assert renew(one.hold_id, timedelta(hours=5), using="default")
    end_all_leases()
    assert renew(one.hold_id, timedelta(hours=9), using="default") is None


def test_a_call_of_several_responses_is_covered_by_its_hold_until_the_last(
    acme: Organization, server: OwnRedis
) -> None:
    budget = make_budget(acme, "0.09")
    one = granted("0.0045")
    assert one.leases != ""
    record_events([make_event(key="first", input_tokens=500, output_tokens=50)])  # half of the 0.0045
    settle(one, key="last", input_tokens=500, output_tokens=50)
    assert counted(budget) == (Decimal("0.0045"), 0, Decimal("0.0045"))  # of 0.09 / 10
    assert admitted(20, "0.0045") == 19


def test_a_batch_that_is_rolled_back_gives_redis_nothing_back(acme: Organization, server: OwnRedis) -> None:
    make_budget(acme, "10")
    one = granted("0.1")
    with transaction.atomic():
        settle(one)
        transaction.set_rollback(True)
    assert len(holds_in_redis(acme.id, using="default")) == 1
    assert_books_agree(server)
    settle(one)
    assert holds_in_redis(acme.id, using="default") == []
    assert_books_agree(server)


def test_inside_a_transaction_the_database_admits(acme: Organization, server: OwnRedis) -> None:
    make_budget(acme, "1")
    with transaction.atomic():
        assert granted("0.01").leases == ""
    assert granted("0.01").leases != ""


def test_fractions_of_a_nano_dollar_are_held_as_whole_ones(acme: Organization, server: OwnRedis) -> None:
    budget = make_budget(acme, "1")
    one = granted("0.0100000000004")
    assert one.leases.endswith("=10000001")
    settle(one)
    assert counted(budget) == (Decimal("0.0045"), 0, Decimal("0.089999999"))  # 0.1 - 0.010000001
    assert_books_agree(server)


def test_live_holds_of_redis_can_be_looked_at(acme: Organization, server: OwnRedis) -> None:
    make_budget(acme, "1")
    one = granted("0.01")
    [seen] = holds_in_redis(acme.id, using="default")
    assert (seen.id, seen.organization_id, seen.admitted_at) == (one.hold_id, acme.id, NOON)
    assert (seen.about, seen.expires_at) == ({"model": "test-model"}, one.expires_at)
    assert list(seen.leases.values()) == [10_000_000]
    settle(one)
    assert holds_in_redis(acme.id, using="default") == []


def test_a_hold_takes_from_its_lease_once_whatever_is_recorded_with_it(acme: Organization, server: OwnRedis) -> None:
    budget = make_budget(acme, "1")
    one = granted("0.01")
    settle(one, key="first")
    settle(one, key="second")
    assert counted(budget) == (Decimal("0.009"), 0, Decimal("0.09"))
    assert_books_agree(server)


@pytest.mark.parametrize("seed", range(4))
def test_the_books_agree_whatever_happens_in_whatever_order(acme: Organization, server: OwnRedis, seed: int) -> None:
    chance = random.Random(seed)
    budgets = [make_budget(acme, "1", model="m"), make_budget(acme, "2"), make_budget(acme, "40", metric="calls")]
    live: list[Granted] = []
    for step in range(120):
        act = chance.choices(
            ["ask", "settle", "release", "expire", "sweep", "flush", "end", "limit"], [40, 25, 8, 5, 5, 1, 1, 2]
        )[0]
        one = live.pop(chance.randrange(len(live))) if live and act in ("settle", "release") else None
        if act in ("ask", "expire"):
            try:
                found = hold(
                    chance.choice(["0.003", "0.01", "0.05", "0.2"]),
                    model=chance.choice(["m", "n"]),
                    ttl=LONG_AGO if act == "expire" else timedelta(minutes=5),
                )
            except BudgetExceeded:
                found = None
            if found is not None and act == "ask":
                live.append(found)
        elif act == "settle" and one is not None:
            settle(one, key=f"{seed}-{step}", model="m")
        elif act == "release" and one is not None:
            release(one.hold_id, using="default")
        elif act == "sweep":
            sweep_expired(using="default")
        elif act == "flush":
            server.say("FLUSHALL")
        elif act == "end":  # never while holds live that were drawn from it: a lease outlives them
            for left in live:
                release(left.hold_id, using="default")
            live.clear()
            server.say("FLUSHALL")
            end_all_leases()
        elif act == "limit":
            change_budget(budgets[1], limit=Decimal(chance.choice(["1.5", "2", "3"])))
        assert_books_agree(server)
