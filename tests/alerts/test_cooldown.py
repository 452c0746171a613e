"""How often one threshold may be delivered; the alerts themselves are raised all the same."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
import time_machine
from django.db import connections

from costtrack.alerts.deliver import deliver_alerts
from costtrack.metering.ledger import record_events
from costtrack.models import AlertDelivery, Budget
from tests.alerts.delivering import channel, cross, states
from tests.budgets.asked import make_budget
from tests.factories import NOON, make_event

pytestmark = pytest.mark.django_db(transaction=True)
WORKERS = 6


@pytest.fixture(autouse=True)
def at_noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


def test_a_cooldown_holds_back_the_next_deliveries_but_no_alert(budget: Budget) -> None:
    budget.thresholds.update(cooldown_minutes=60 * 30)
    channel(budget.organization, "all")
    for days in range(3):
        now = NOON + timedelta(days=days)
        with time_machine.travel(now, tick=False):
            cross(at=now)
            deliver_alerts()
    assert states("all") == ["sent", "held_back", "sent"]
    assert budget.alerts.count() == 3


def test_the_longest_cooldown_that_can_be_saved_is_one(budget: Budget) -> None:
    budget.thresholds.update(cooldown_minutes=2**31 - 1)
    channel(budget.organization, "all")
    cross()
    with time_machine.travel(NOON + timedelta(days=1), tick=False):
        cross(at=NOON + timedelta(days=1))
    assert states("all") == ["pending", "held_back"]


def test_within_one_batch_the_cooldown_lets_one_pass(budget: Budget) -> None:
    threads = make_budget(budget.organization, "0.0045", enforcement="soft", per="thread")
    threads.thresholds.create(level=100, cooldown_minutes=60)
    channel(budget.organization, "all")
    record_events([make_event(attribution={"thread_id": f"t{number}"}) for number in range(3)])
    assert threads.alerts.count() == 3
    found = AlertDelivery.objects.filter(alert__budget=threads).order_by("state").values_list("state", flat=True)
    assert list(found) == ["held_back", "held_back", "pending"]


def test_writers_that_cross_at_once_let_one_pass(budget: Budget) -> None:
    threads = make_budget(budget.organization, "0.0045", enforcement="soft", per="thread")
    threads.thresholds.create(level=100, cooldown_minutes=60)
    channel(budget.organization, "all")
    barrier = Barrier(WORKERS)

    def work(number: int) -> None:
        try:
            barrier.wait(60)
            record_events([make_event(attribution={"thread_id": f"t{number}"})])
        finally:
            connections.close_all()

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(work, range(WORKERS)))
    assert threads.alerts.count() == WORKERS
    found = AlertDelivery.objects.filter(alert__budget=threads).order_by("state").values_list("state", flat=True)
    assert list(found) == ["held_back"] * (WORKERS - 1) + ["pending"]
