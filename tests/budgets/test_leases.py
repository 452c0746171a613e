"""How much Redis is leased, for how long, and out of which leases it admits."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection

from costtrack.budgets import near_limits
from costtrack.budgets.asking import Ask, Taking
from costtrack.budgets.backends import redis
from costtrack.budgets.backends.redis import RedisBackend
from costtrack.budgets.backends.redis_connections import RedisServer, redis_server
from costtrack.budgets.changes import change_budget
from costtrack.budgets.counters import CounterKey, counters_of
from costtrack.budgets.holds import release
from costtrack.budgets.known import budgets_of
from costtrack.budgets.leases import rows_of
from costtrack.budgets.near_limits import NearLimits
from costtrack.budgets.redis_holds import take_back_leases
from costtrack.domain.budget_rules import SCOPE, Quantities
from costtrack.models import Budget, BudgetLease, Organization
from tests.budgets.admitting import admitted, counted, granted, in_threads
from tests.budgets.asked import make_budget
from tests.budgets.redis_scene import OwnRedis, assert_books_agree
from tests.factories import NOON, make_organization, make_rate

LONG_AGO = timedelta(days=-400)
FACTS = {**dict.fromkeys(SCOPE, ""), "project_id": None, "agent_id": None}


@pytest.fixture
def acme(transactional_db: None) -> Organization:
    make_rate()
    return make_organization()


def test_a_lease_is_a_tenth_of_what_is_left(acme: Organization, server: OwnRedis) -> None:
    budget = make_budget(acme, "100")
    granted("2")
    assert counted(budget) == (0, 0, 10)  # 100 / 10
    granted("8")
    assert counted(budget) == (0, 0, 10)
    granted("2")
    assert counted(budget) == (0, 0, 19)  # and 90 / 10
    granted("4")
    assert counted(budget) == (0, 0, 19)  # 3 of these 9 are left
    granted("4")
    assert counted(budget) == (0, 0, Decimal("24.4"))  # they come back, and 84 / 10 are leased
    assert_books_agree(server)


def test_what_would_take_most_of_a_lease_is_held_by_the_database(acme: Organization, server: OwnRedis) -> None:
    budget = make_budget(acme, "100")
    assert granted("5").leases != ""  # two of these make 100 / 10
    assert granted("20").leases == ""
    assert counted(budget) == (0, 20, 5)  # what was idle came back
    assert granted("1").leases == ""  # so shortly after
    server_of_now = redis_server()
    assert server_of_now is not None
    server_of_now.near = NearLimits()
    assert granted("1").leases != ""


def test_no_more_than_half_of_a_limit_is_leased(
    acme: Organization, server: OwnRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near_limits, "NEAR_SECONDS", 0.0)
    budget = make_budget(acme, "100")
    admitted(60, "1")
    found = counted(budget)
    # 10 + 9 + 8.1 + 7.29 + 6.561 + 5.9049 = 46.8559 are leased, then a tenth of the rest: 5.31441, and no more.
    assert found.leased <= Decimal("52.17031")
    assert found.taken >= 60


def test_keys_all_end_by_themselves(acme: Organization, server: OwnRedis) -> None:
    make_budget(acme, "1")
    one, other = granted("0.01"), granted("0.02")
    release(one.hold_id, using="default")
    client = server.client
    lives = [client.pttl(key) for key in client.scan_iter(match="*")]
    client.close()
    assert len(lives) == 6  # two holds, a lease, its counter's list, the list of holds, the epoch
    assert all(0 < life <= 2 * 24 * 60 * 60 * 1000 for life in lives)
    assert other.expires_at is not None


def test_eight_threads_that_find_a_lease_empty_get_one_new_one(acme: Organization, server: OwnRedis) -> None:
    if connection.vendor == "sqlite":
        pytest.importorskip("psycopg")
    budget = make_budget(acme, "1000")
    assert in_threads(8, lambda: admitted(10, "0.01")) == 80
    assert counted(budget).leased == 100
    assert BudgetLease.objects.count() == 1


def test_who_found_a_lease_empty_before_another_thread_leased_takes_of_that(
    acme: Organization, server: OwnRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = make_budget(acme, "1000")
    one_at_a_time = redis._one_at_a_time
    others: list[int] = []

    def late(key: CounterKey) -> AbstractContextManager[bool | None]:
        if not others:  # it has asked, and does not have its turn yet
            others.append(1)
            granted("0.01")
        return one_at_a_time(key)

    monkeypatch.setattr(redis, "_one_at_a_time", late)
    granted("0.01")
    assert counted(budget).leased == 100
    assert_books_agree(server)


def test_redis_admits_nothing_out_of_a_lease_that_would_not_outlive_the_hold(
    acme: Organization, server: OwnRedis
) -> None:
    make_budget(acme, "1")
    granted("0.01")  # its lease lives for 900 + 300 seconds
    assert granted("0.01", ttl=timedelta(seconds=1190)).leases
    assert BudgetLease.objects.count() == 1
    assert granted("0.01", ttl=timedelta(seconds=1210)).leases
    assert BudgetLease.objects.count() == 2
    assert granted("0.01", ttl=timedelta(days=2)).leases == ""


def test_limits_that_redis_could_not_count_exactly_stay_with_the_database(acme: Organization, server: OwnRedis) -> None:
    budget = make_budget(acme, "9007199.25")  # 2^53 nano-dollars are 9007199.254740992
    assert granted("0.01").leases != ""
    change_budget(budget, limit=Decimal("9007199.26"))
    assert granted("0.01").leases == ""
    change_budget(budget, limit=Decimal("9007199.25"))
    assert granted("90000").leases != ""
    assert counted(budget).held == Decimal("0.01")
    assert_books_agree(server)


def test_tokens_need_no_fractions_and_may_be_many(acme: Organization, server: OwnRedis) -> None:
    make_budget(acme, "1000000000000", metric="tokens")
    assert granted(tokens=5).leases.endswith("=5")


def reserve_with_old_list(budget: Budget, old: object) -> str:
    """What Redis answers to a process that has not noticed a change yet."""
    worst = Quantities(cost_usd=Decimal("0.01"))
    ask = Ask(hold_id=uuid4(), facts=FACTS, worst=worst, at=NOON, ttl=timedelta(minutes=5), about={})
    [counter] = counters_of(FACTS, NOON, old, old.holding)  # type: ignore[attr-defined, arg-type]
    found = redis_server()
    assert isinstance(found, RedisServer)
    backend = RedisBackend(found, "default")
    return backend.reserve(ask, [Taking(counter, Decimal("0.01"))], old, is_unpriced=False).kind  # type: ignore[arg-type]


def test_a_process_that_knows_old_budgets_gets_nothing_out_of_an_old_lease(
    acme: Organization, server: OwnRedis
) -> None:
    budget = make_budget(acme, "1")
    granted("0.01")
    old = budgets_of("acme")
    assert reserve_with_old_list(budget, old) == "granted"
    change_budget(budget, limit=Decimal("0.5"))
    assert reserve_with_old_list(budget, old) == "stale"


def test_where_redis_was_not_told_of_a_change_no_more_than_was_leased_is_admitted(
    acme: Organization, server: OwnRedis, settings
) -> None:
    budget = make_budget(acme, "1")
    granted("0.01")
    old = budgets_of("acme")
    url = settings.COSTTRACK["REDIS_URL"]
    settings.COSTTRACK = {**settings.COSTTRACK, "REDIS_URL": "unix:///nowhere.sock"}
    change_budget(budget, limit=Decimal("0.02"))
    settings.COSTTRACK = {**settings.COSTTRACK, "REDIS_URL": url}
    answers = [reserve_with_old_list(budget, old) for _ in range(11)]
    assert answers == ["granted"] * 9 + ["stale"] * 2  # the lease was of 0.1
    assert admitted(1, "0.01") == 0


def test_what_is_idle_in_leases_comes_back_for_a_call_that_needs_all(acme: Organization, server: OwnRedis) -> None:
    budget = make_budget(acme, "1", model="m")
    make_budget(acme, "100")
    granted("0.01", model="m")
    assert counted(budget).leased == Decimal("0.1")
    assert granted("0.99", model="m").leases == ""
    assert counted(budget) == (0, Decimal("0.99"), Decimal("0.01"))
    assert_books_agree(server)


def test_the_database_has_idle_leases_taken_back_before_it_refuses(acme: Organization, server: OwnRedis) -> None:
    budget = make_budget(acme, "1")
    granted("0.01")
    known, asked = budgets_of("acme"), redis_server()
    assert known is not None
    assert asked is not None
    [counter] = counters_of(FACTS, NOON, known, known.holding)
    asked.near.note(counter.key)
    assert granted("0.99").leases == ""
    assert counted(budget) == (0, Decimal("0.99"), Decimal("0.01"))
    assert_books_agree(server)


def test_a_lease_that_is_on_its_way_to_redis_is_waited_for(
    acme: Organization, server: OwnRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = make_budget(acme, "1")
    granted("0.01")
    lease = BudgetLease.objects.get()
    server.say("FLUSHALL")
    BudgetLease.objects.update(granted_at=lease.granted_at + timedelta(days=1))
    slept: list[float] = []
    monkeypatch.setattr("costtrack.budgets.redis_holds.time.sleep", slept.append)
    known = budgets_of("acme")
    assert known is not None
    counters = counters_of(FACTS, NOON, known, known.holding)
    assert not take_back_leases(rows_of(counters, using="default"), using="default")
    assert len(slept) == 10
    assert counted(budget).leased == Decimal("0.1")
