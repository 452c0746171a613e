"""Whatever becomes of Redis, nothing is overspent: it admits only out of what the database has leased to it."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.core.exceptions import ImproperlyConfigured

from costtrack.budgets import breaker
from costtrack.budgets.backends.redis_connections import forget_redis
from costtrack.budgets.holds import sweep_expired
from costtrack.budgets.redis_holds import holds_in_redis
from costtrack.domain.budget_rules import SCOPE
from costtrack.models import BudgetLease, Organization
from tests.budgets.admitting import admitted, counted, granted, settle
from tests.budgets.asked import hold, make_budget
from tests.budgets.redis_scene import OwnRedis, assert_books_agree, end_all_leases
from tests.factories import make_organization, make_rate

LONG_AGO = timedelta(days=-400)
FACTS = {**dict.fromkeys(SCOPE, ""), "project_id": None, "agent_id": None}


@pytest.fixture
def acme(transactional_db: None) -> Organization:
    make_rate()
    return make_organization()


def test_after_flushall_no_more_is_admitted_than_was_left(acme: Organization, server: OwnRedis) -> None:
    budget = make_budget(acme, "1")
    before = [granted("0.01") for _ in range(5)]  # of a lease of 0.1
    server.say("FLUSHALL")
    assert admitted(200, "0.01") == 90  # 1 - 0.1
    assert counted(budget).taken == 1
    settled = counted(budget).leased
    for one in before:
        settle(one, input_tokens=3000, output_tokens=66)  # 3000 x 3 + 66 x 15 = 9990 per million: 0.00999
    assert counted(budget).spent == Decimal("0.04995")
    assert counted(budget).leased == settled - Decimal("0.05")
    assert_books_agree(server)
    held = counted(budget).held
    end_all_leases()
    assert counted(budget) == (Decimal("0.04995"), held, 0)
    assert admitted(200, "0.01") == 95 - held * 100  # 0.95005 are left for those, and for others


def test_after_a_restart_the_lease_of_the_run_before_is_only_waited_for(acme: Organization, server: OwnRedis) -> None:
    budget = make_budget(acme, "1")
    assert admitted(5, "0.01") == 5
    server.kill()
    server.start()
    assert granted("0.01").leases != ""
    assert admitted(200, "0.01") == 89
    assert counted(budget).taken == 1


def test_an_old_snapshot_that_comes_back_admits_nothing(acme: Organization, server: OwnRedis) -> None:
    budget = make_budget(acme, "1")
    assert admitted(3, "0.01") == 3
    server.say("SAVE")
    assert admitted(7, "0.01") == 7  # the lease of 0.1 is used up, and the snapshot does not know that
    server.kill()
    server.start()
    [old] = server.keys("l")
    assert server.fields(old)["a"] == "70000000"
    assert admitted(200, "0.01") == 90
    assert counted(budget).taken == 1
    assert server.fields(old)["a"] == "70000000"


def test_a_server_that_was_a_replica_meanwhile_is_another_run(acme: Organization, server: OwnRedis) -> None:
    budget = make_budget(acme, "1")
    assert admitted(5, "0.01") == 5
    server.say("REPLICAOF", "127.0.0.1", "1")
    server.say("REPLICAOF", "NO", "ONE")
    forget_redis()
    assert admitted(200, "0.01") == 90
    assert counted(budget).taken == 1
    assert len({lease.run for lease in BudgetLease.objects.all()}) == 2


@pytest.mark.usefixtures("impatient")
def test_while_redis_hangs_the_database_admits_within_the_timeout(acme: Organization, server: OwnRedis) -> None:
    budget = make_budget(acme, "1")
    granted("0.01")
    with server.stopped():
        began = time.monotonic()
        one = granted("0.1")
        assert time.monotonic() - began < 0.1 + 0.4
        assert one.leases == ""
        assert counted(budget) == (0, Decimal("0.1"), Decimal("0.1"))
        assert admitted(20, "0.1") == 8  # 0.1 is held, 0.1 is leased


@pytest.mark.usefixtures("impatient")
def test_a_wait_that_the_kernel_ends_is_a_timeout_and_no_lost_connection(
    acme: Organization, server: OwnRedis, caplog: pytest.LogCaptureFixture
) -> None:
    """What was lost is asked once more over a new connection; what has not answered in time is not."""
    make_budget(acme, "1")
    granted("0.01")
    caplog.set_level(logging.INFO, logger="costtrack")
    with server.stopped():
        granted("0.1")
    assert "TimeoutError: Redis has not answered in time." in caplog.text


@pytest.mark.usefixtures("impatient")
def test_while_redis_is_away_the_database_admits(acme: Organization, server: OwnRedis) -> None:
    budget = make_budget(acme, "1")
    granted("0.01")
    server.kill()
    assert admitted(20, "0.1") == 9
    assert counted(budget) == (0, Decimal("0.9"), Decimal("0.1"))


@pytest.mark.usefixtures("impatient")
def test_what_redis_did_although_nobody_heard_of_it_is_taken_once(acme: Organization, server: OwnRedis) -> None:
    budget = make_budget(acme, "1")
    granted("0.01")
    with server.stopped():  # it does what it was sent when it goes on
        one = granted("0.05", hold_id=uuid4())
    server.wait_for("h", 2)
    assert one.leases == ""
    assert counted(budget) == (0, Decimal("0.05"), Decimal("0.1"))
    settle(one)
    assert counted(budget) == (Decimal("0.0045"), 0, Decimal("0.1"))
    again = granted("0.05", hold_id=one.hold_id)  # Redis has it still; of no use to a call that is recorded, but safe
    settle(again, key="another")
    assert counted(budget) == (Decimal("0.009"), 0, Decimal("0.1"))
    assert_books_agree(server)


@pytest.mark.usefixtures("impatient")
def test_after_three_failures_redis_is_left_alone_and_then_tried_by_one(
    acme: Organization, server: OwnRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "OPEN_SECONDS", 0.5)
    make_budget(acme, "1")
    granted("0.01")
    with server.stopped():
        for _ in range(3):
            granted("0.01")
        began = time.monotonic()
        assert admitted(3, "0.01") == 3
        assert time.monotonic() - began < 0.25  # three timeouts are 0.3
    assert granted("0.01").leases == ""
    time.sleep(0.5)
    assert granted("0.01").leases != ""


def test_a_breaker_lets_one_probe_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "OPEN_SECONDS", 0.1)
    one = breaker.Breaker()
    assert [one.failed() for _ in range(3)] == [False, False, True]
    assert not one.allows()
    time.sleep(0.11)
    assert [one.allows() for _ in range(3)] == [True, False, False]
    one.succeeded()
    assert [one.allows() for _ in range(3)] == [True, True, True]


@pytest.mark.usefixtures("impatient")
def test_what_a_call_did_not_use_is_free_although_redis_was_not_told(acme: Organization, server: OwnRedis) -> None:
    budget = make_budget(acme, "10")
    one = granted("0.5", ttl=LONG_AGO)
    with server.stopped():
        settle(one)
    assert counted(budget) == (Decimal("0.0045"), 0, Decimal("0.5"))
    assert holds_in_redis(acme.id, using="default") == []
    assert sweep_expired(using="default") == 0
    [seen] = server.keys("h")
    assert server.fields(seen) == {"ended": "settled"}
    assert_books_agree(server)
    assert admitted(2, "9.9955") == 1  # 10 - 0.0045


def test_without_a_url_or_the_package_one_is_told_what_to_do(
    acme: Organization, settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_budget(acme, "1")
    settings.COSTTRACK = {**settings.COSTTRACK, "BUDGET_BACKEND": "redis", "REDIS_URL": None}
    with pytest.raises(ImproperlyConfigured, match="REDIS_URL"):
        hold("0.01")
    settings.COSTTRACK = {**settings.COSTTRACK, "REDIS_URL": "redis://127.0.0.1:1"}
    monkeypatch.setitem(__import__("sys").modules, "redis", None)
    with pytest.raises(ImproperlyConfigured, match=r"pip install 'costtrack\[redis\]'"):
        hold("0.01")
