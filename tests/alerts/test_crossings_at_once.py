"""Many that cross a threshold at the same time: one alert, one delivery to each channel."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier

import pytest
from django.db import connection, connections

from costtrack.alerts.evaluate import raise_budget_alerts
from costtrack.metering.ledger import record_events
from costtrack.models import AlertChannel, AlertDelivery, BudgetAlert
from tests.budgets.asked import make_budget
from tests.factories import make_event, make_organization, make_rate

CROSSINGS = 50


@pytest.mark.django_db(transaction=True)
def test_fifty_concurrent_crossings_are_one_alert() -> None:
    make_rate()
    acme = make_organization()
    budget = make_budget(acme, "0.0045", enforcement="soft")
    budget.thresholds.create(level=100)
    AlertChannel.objects.create(organization=acme, name="mail", kind="email", target="team@example.org")
    threads = 10 if connection.vendor == "postgresql" else 4
    barrier = Barrier(threads)

    def cross(number: int) -> int:
        try:
            if number < threads:
                barrier.wait(30)
            record_events([make_event(occurred_at=datetime.now(UTC))])
            return len(raise_budget_alerts())
        finally:
            connections.close_all()

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(cross, range(CROSSINGS)))
    assert BudgetAlert.objects.count() == 1
    assert AlertDelivery.objects.count() == 1
