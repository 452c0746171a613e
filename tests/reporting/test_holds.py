"""What is held right now, for what and since when; where Redis admits, its holds are shown like the database's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest

from costtrack.budgets.backends.redis_connections import forget_redis
from costtrack.budgets.rebuild import counter_differences
from costtrack.models import Hold, Organization
from costtrack.reporting.budgets import budget_status
from costtrack.reporting.holds import HeldAmount, count_outstanding, outstanding_holds
from tests.budgets.asked import hold, make_budget
from tests.budgets.redis_scene import OwnRedis
from tests.factories import NOON, make_organization, make_rate


@pytest.fixture
def acme(transactional_db: None) -> Organization:
    make_rate()
    return make_organization()


@pytest.fixture
def server(settings) -> Iterator[OwnRedis]:
    with OwnRedis() as own:
        redis = {"BUDGET_BACKEND": "redis", "REDIS_URL": own.url, "REDIS_TIMEOUT_MS": 2000, "TRANSPORT": "spool"}
        settings.COSTTRACK = {**settings.COSTTRACK, **redis}
        yield own
        forget_redis()


def test_outstanding_holds_say_what_they_hold_of_what_and_since_when(acme: Organization) -> None:
    cost = make_budget(acme, name="cost")
    threads = make_budget(acme, "1000", name="threads", per="thread", metric="tokens")
    granted = hold("0.1", tokens=300, thread_id="t1")
    hold("0.2", at=NOON + timedelta(minutes=1))
    assert granted is not None
    oldest, newest = outstanding_holds("acme", now=NOON + timedelta(minutes=3))
    assert (oldest.id, oldest.age, oldest.is_expired) == (granted.hold_id, timedelta(minutes=3), False)
    assert (oldest.about, oldest.state, oldest.expires_at) == ({"model": "test-model"}, "held", granted.expires_at)
    assert oldest.amounts == (
        HeldAmount(budget_id=threads.pk, budget="threads", subject="t1", metric="tokens", amount=Decimal(300)),
        HeldAmount(budget_id=cost.pk, budget="cost", subject="", metric="cost_usd", amount=Decimal("0.1")),
    )
    assert newest.age == timedelta(minutes=2)
    assert outstanding_holds(acme, now=granted.expires_at)[0].is_expired
    other = make_organization("other")
    assert outstanding_holds(other) == ()
    assert outstanding_holds([other]) == outstanding_holds([]) == ()
    assert len(outstanding_holds([acme, other])) == 2
    assert len(outstanding_holds(limit=1)) == 1


def test_holds_of_redis_are_listed_and_counted(acme: Organization, server: OwnRedis) -> None:
    budget = make_budget(acme, "10", name="day", period="total")
    granted = hold("0.25")
    assert granted is not None
    assert not Hold.objects.exists()
    (outstanding,) = outstanding_holds("acme", now=NOON + timedelta(minutes=2))
    assert (outstanding.id, outstanding.state, outstanding.organization) == (granted.hold_id, "held", "acme")
    assert (outstanding.about, outstanding.age) == ({"model": "test-model"}, timedelta(minutes=2))
    assert [(one.budget, one.amount) for one in outstanding.amounts] == [("day", Decimal("0.25"))]
    assert (count_outstanding(), count_outstanding(acme), count_outstanding("nobody")) == (1, 1, 0)
    assert (count_outstanding([acme]), count_outstanding([])) == (1, 0)
    (status,) = budget_status(acme, budget=budget, now=NOON)
    assert (status.held, status.leased >= Decimal("0.25")) == (0, True)
    assert counter_differences(using="default", now=NOON) == []


def test_while_redis_is_away_the_holds_of_the_database_are_shown(acme: Organization, server: OwnRedis) -> None:
    make_budget(acme, "10", period="total")
    hold("0.25")
    server.kill()
    forget_redis()
    assert (outstanding_holds(acme), count_outstanding(acme)) == ((), 0)
