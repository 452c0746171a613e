"""What both admission backends do: the database by itself, and Redis out of what the database leases to it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection

from costtrack.budgets import lease_grants
from costtrack.budgets.backends.redis_connections import forget_redis
from costtrack.budgets.changes import change_budget
from costtrack.budgets.holds import release, renew, sweep_expired
from costtrack.exceptions import BudgetExceeded, HoldEnded, HoldTooSmall
from costtrack.metering.ledger import record_events
from costtrack.models import BudgetCounter, Hold, Organization
from tests.budgets.admitting import admitted, counted, granted, in_threads, settle
from tests.budgets.asked import hold, make_budget
from tests.factories import NOON, make_event, make_organization, make_rate

LONG_AGO = timedelta(days=-400)  # whatever the clocks of the test and of the database say


@pytest.fixture(params=["database", "redis", "redis has it all"])
def backend(request: pytest.FixtureRequest, settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Who admits: the database; Redis, until a limit is near; or Redis as long as anything is left."""
    if request.param == "redis has it all":
        for name, value in (("SHARE", 1), ("LEAST_CALLS", 1), ("AHEAD", 0)):
            monkeypatch.setattr(lease_grants, name, value)
    chosen = {"BUDGET_BACKEND": request.param.split()[0]}
    if request.param != "database":
        chosen |= {"REDIS_URL": request.getfixturevalue("redis_url"), "REDIS_TIMEOUT_MS": 5000}
    settings.COSTTRACK = {**settings.COSTTRACK, **chosen}
    yield request.param
    forget_redis()


@pytest.fixture
def acme(transactional_db: None) -> Organization:
    """Committed, as Redis admits nothing inside a transaction: an event of `make_event` costs 0.0045 USD."""
    make_rate()
    return make_organization()


def test_what_is_granted_is_taken_by_whom_it_should_be(acme: Organization, backend: str) -> None:
    budget = make_budget(acme, "10")
    one = granted("0.25")
    assert bool(one.leases) == (backend != "database")
    # Redis gets a tenth of what is left, 10 / 10, or all of it.
    taken = {"database": (0, Decimal("0.25"), 0), "redis": (0, 0, 1), "redis has it all": (0, 0, 10)}
    assert counted(budget) == taken[backend]


def test_the_floor_of_limit_by_cost_is_admitted(acme: Organization, backend: str) -> None:
    budget = make_budget(acme, "1")
    assert admitted(20, "0.07") == 14  # 14 x 0.07 = 0.98
    assert counted(budget).taken == Decimal("0.98")
    assert admitted(3, "0.01") == 2
    assert counted(budget).taken == 1


def test_mixed_costs_fill_a_limit_to_the_last_cent(acme: Organization, backend: str) -> None:
    budget = make_budget(acme, "1")
    costs = ["0.3", "0.01", "0.5", "0.07", "0.2", "0.1", "0.02", "0.05"]
    # 0.3 + 0.01 + 0.5 + 0.07 = 0.88, 0.2 does not fit, 0.98 with 0.1, 1.00 with 0.02, and nothing more
    assert [admitted(1, cost) for cost in costs] == [1, 1, 1, 1, 0, 1, 1, 0]
    assert counted(budget).taken == 1


def test_a_chain_of_three_takes_from_all_or_from_none(acme: Organization, backend: str) -> None:
    make_budget(acme, "1", model="m", endpoint="chat")
    middle = make_budget(acme, "0.3", model="m", name="middle")
    wide = make_budget(acme, "5")
    who = {"model": "m", "endpoint": "chat"}
    assert admitted(5, "0.1", **who) == 3
    with pytest.raises(BudgetExceeded) as refused:
        hold("0.1", **who)
    assert refused.value.budget == "middle"
    assert counted(middle).taken == Decimal("0.3")
    change_budget(middle, limit=Decimal(100))
    assert admitted(20, "0.1", **who) == 7  # of the narrow one's 1, 0.3 are taken
    assert admitted(50, "0.1") == 40  # of the wide one's 5, 1 is taken
    assert counted(wide).taken == 5


def test_the_same_hold_again_takes_nothing_twice(acme: Organization, backend: str) -> None:
    make_budget(acme, "1")
    again = uuid4()
    assert granted("0.6", hold_id=again) == granted("0.6", hold_id=again)
    assert admitted(2, "0.4") == 1


def test_the_same_hold_is_not_found_again_for_a_call_that_may_need_more(acme: Organization, backend: str) -> None:
    budget = make_budget(acme, "1")
    again = uuid4()
    first = granted("0.3", hold_id=again)
    taken = counted(budget).taken
    assert granted("0.2", hold_id=again).hold_id == again
    with pytest.raises(HoldTooSmall) as error:
        hold("0.4", hold_id=again)
    assert (error.value.metric, error.value.held, error.value.needed) == ("cost_usd", Decimal("0.3"), Decimal("0.4"))
    assert str(error.value).startswith(f"The hold {again} holds 0.3 cost_usd, and this call may need 0.4. ")
    assert granted("0.3", hold_id=again) == first
    assert counted(budget).taken == taken


def test_of_each_metric_a_hold_has_to_be_large_enough(acme: Organization, backend: str) -> None:
    make_budget(acme, "1")
    make_budget(acme, "5000", name="tokens", metric="tokens")
    again = uuid4()
    granted("0.3", tokens=1000, hold_id=again)
    granted("0.3", tokens=999, hold_id=again)
    with pytest.raises(HoldTooSmall, match="holds 1000 tokens, and this call may need 1001"):
        hold("0.3", tokens=1001, hold_id=again)


def test_a_hold_is_found_again_in_the_next_period_and_with_other_budgets(acme: Organization, backend: str) -> None:
    make_budget(acme, "1", period="minute")
    again = uuid4()
    first = granted("0.3", hold_id=again)
    make_budget(acme, "1", name="later")
    make_budget(acme, "5000", name="tokens", metric="tokens")
    assert granted("0.3", hold_id=again, at=NOON + timedelta(minutes=1)).admitted_at == first.admitted_at
    with pytest.raises(HoldTooSmall):
        hold("0.4", hold_id=again, at=NOON + timedelta(minutes=1))


def test_a_hold_that_has_ended_can_not_be_taken_again(acme: Organization, backend: str) -> None:
    make_budget(acme, "1")
    settled, released = granted(), granted()
    settle(settled)
    release(released.hold_id, using="default")
    with pytest.raises(HoldEnded, match="settled"):
        hold(hold_id=settled.hold_id)
    with pytest.raises(HoldEnded, match="released"):
        hold(hold_id=released.hold_id)


def test_release_gives_back_once(acme: Organization, backend: str) -> None:
    budget = make_budget(acme, "1")
    one, other = granted("0.6"), granted("0.4")
    assert release(one.hold_id, using="default")
    assert not release(one.hold_id, using="default")
    assert not release(uuid4(), using="default")
    assert admitted(2, "0.6") == 1
    assert counted(budget).taken == 1
    assert Hold.objects.get(id=one.hold_id).state == "released"
    settle(other)


def test_usage_moves_from_held_to_spent_and_the_rest_is_free_again(acme: Organization, backend: str) -> None:
    budget = make_budget(acme, "1")
    settle(granted("1"))
    assert counted(budget).spent == Decimal("0.0045")
    assert admitted(1, "0.9956") == 0
    assert admitted(1, "0.9955") == 1  # 0.0045 + 0.9955 = 1
    assert counted(budget).taken == 1
    assert not Hold.objects.filter(is_overrun=True).exists()


def test_a_call_that_used_more_than_it_held_counts_and_is_flagged(acme: Organization, backend: str) -> None:
    budget = make_budget(acme, "1")
    one = granted("0.001")
    settle(one)
    assert counted(budget).spent == Decimal("0.0045")
    stored = Hold.objects.get(id=one.hold_id)
    assert (stored.state, stored.is_overrun) == ("settled", True)
    assert admitted(1, "0.9956") == 0
    assert admitted(1, "0.9955") == 1


def test_a_hold_is_settled_once_whatever_is_recorded_with_it(acme: Organization, backend: str) -> None:
    budget = make_budget(acme, "1")
    one = granted("0.5")
    settle(one, key="first")
    settle(one, key="second")
    settle(one, key="first")
    assert counted(budget).spent == Decimal("0.009")
    assert admitted(1, "0.9911") == 0
    assert admitted(1, "0.991") == 1
    assert counted(budget).taken == 1


def test_the_hold_of_a_call_that_is_recorded_already_is_free_again(acme: Organization, backend: str) -> None:
    budget = make_budget(acme, "1")
    record_events([make_event(key="the same")])
    settle(granted("0.9"), key="the same")
    assert counted(budget).spent == Decimal("0.0045")
    assert admitted(1, "0.9955") == 1


def test_what_an_expired_hold_holds_is_free_for_whom_it_would_be_refused(acme: Organization, backend: str) -> None:
    budget = make_budget(acme, "1")
    expired = granted("0.6", ttl=LONG_AGO)
    assert admitted(2, "0.6") == 1
    assert Hold.objects.get(id=expired.hold_id).state == "expired"
    settle(expired)  # late: it counts, and frees nothing of the other's
    assert counted(budget).spent == Decimal("0.0045")
    assert admitted(1, "0.3956") == 0
    assert admitted(1, "0.3955") == 1  # 0.6 + 0.0045 + 0.3955 = 1
    assert counted(budget).taken == 1


def test_a_sweep_ends_what_has_expired_and_nothing_else(acme: Organization, backend: str) -> None:
    make_budget(acme, "1")
    granted("0.3", ttl=LONG_AGO), granted("0.2")
    assert sweep_expired(using="default") == 1
    assert sweep_expired(using="default") == 0
    assert admitted(2, "0.8") == 1


def test_a_renewed_hold_lives_longer_and_one_that_has_ended_does_not(acme: Organization, backend: str) -> None:
    make_budget(acme, "1")
    one = granted("0.6")
    end = renew(one.hold_id, timedelta(hours=3), using="default")
    assert end is not None
    assert one.expires_at is not None
    assert timedelta(hours=2, minutes=50) < end - one.expires_at < timedelta(hours=3)  # from 5 minutes
    assert sweep_expired(using="default") == 0
    settle(one)
    assert renew(one.hold_id, timedelta(hours=3), using="default") is None
    assert renew(uuid4(), timedelta(hours=3), using="default") is None


def test_a_lowered_limit_holds_at_the_next_reservation(acme: Organization, backend: str) -> None:
    budget = make_budget(acme, "1")
    granted("0.01")
    change_budget(budget, limit=Decimal("0.05"))
    assert admitted(9, "0.01") == 4
    assert counted(budget).taken == Decimal("0.05")


def test_a_raised_limit_holds_at_the_next_reservation(acme: Organization, backend: str) -> None:
    budget = make_budget(acme, "0.05")
    assert admitted(9, "0.01") == 5
    change_budget(budget, limit=Decimal("0.07"))
    assert admitted(9, "0.01") == 2
    assert counted(budget).taken == Decimal("0.07")


def test_a_limit_of_0_refuses_all_also_what_takes_nothing(acme: Organization, backend: str) -> None:
    budget = make_budget(acme, "1")
    granted("0.01")
    change_budget(budget, limit=Decimal(0))
    assert admitted(2, "0.01") == 0
    assert admitted(1, "0") == 0


def test_tokens_and_calls_are_counted_whole(acme: Organization, backend: str) -> None:
    make_budget(acme, "1000", metric="tokens", per="thread")
    calls = make_budget(acme, "12", metric="calls", period="total")
    assert admitted(20, "0.1", tokens=300, thread_id="t1") == 3
    assert admitted(20, "0.1", tokens=1, thread_id="t2") == 9  # the twelve calls are made
    assert counted(calls).taken == 12


def test_a_call_of_no_tokens_passes_a_full_budget_of_tokens(acme: Organization, backend: str) -> None:
    make_budget(acme, "300", metric="tokens")
    make_budget(acme, "1")
    assert admitted(2, "0.1", tokens=300) == 1
    assert admitted(1, "0.1", tokens=0) == 1


def test_what_rehearses_refuses_nothing_and_is_counted(
    acme: Organization, backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    shadow = make_budget(acme, "0.2", enforcement="shadow", name="rehearsal")
    hard = make_budget(acme, "1")
    with caplog.at_level(logging.WARNING, logger="costtrack"):
        assert admitted(20, "0.1") == 10
    assert BudgetCounter.objects.get(budget=shadow).shadow_refusals >= 8
    assert sum("would have refused" in message for message in caplog.messages) == 8
    assert counted(hard).taken == 1


def test_an_unlimited_budget_and_a_soft_one_refuse_nothing(acme: Organization, backend: str) -> None:
    make_budget(acme, None)
    make_budget(acme, "0.1", enforcement="soft")
    hard = make_budget(acme, "1", metric="calls")
    assert admitted(3, "5", tokens=0) == 1
    assert counted(hard).taken == 1


def test_an_unpriced_call_is_admitted_flagged_where_the_budget_allows_that(acme: Organization, backend: str) -> None:
    make_budget(acme, "1", on_unpriced="admit")
    assert granted(None).is_unpriced
    assert Hold.objects.get().is_unpriced


def test_a_hold_that_a_budget_charges_stays_taken(acme: Organization, backend: str) -> None:
    budget = make_budget(acme, "1", on_expiry="charge")
    granted("0.6", ttl=LONG_AGO)
    assert sweep_expired(using="default") == 1
    assert admitted(1, "0.6") == 0
    assert counted(budget).held == Decimal("0.6")


def test_eight_threads_share_a_limit_exactly(acme: Organization, backend: str) -> None:
    if connection.vendor == "sqlite":  # which has one writer: so many at once only wait for one another
        number, tries = 2, 60
    else:
        number, tries = 8, 15
    budget = make_budget(acme, "1")
    assert in_threads(number, lambda: admitted(tries, "0.01")) == 100
    assert counted(budget).taken == 1
