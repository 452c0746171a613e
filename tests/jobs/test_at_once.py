"""Each job by eight workers at once, and once more: the same as by one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.db import connection, connections

from costtrack.aggregation import verify_books
from costtrack.alerts.channels.handlers import alert_handler
from costtrack.jobs import recommendations, reports, upkeep, watch
from costtrack.metering.ledger import record_events
from costtrack.metering.spool.directory import prepared_directory
from costtrack.metering.spool.encoding import encode
from costtrack.metering.spool.header import SegmentHeader, address_of
from costtrack.metering.spool.segment import WrittenSegment
from costtrack.models import (
    AlertChannel,
    AlertDelivery,
    BudgetAlert,
    BudgetCounter,
    DailyCostSummary,
    FoundRecommendations,
    JobRun,
    ReportDelivery,
    ResourceUsage,
)
from tests.budgets.asked import make_budget
from tests.factories import make_event, make_organization, make_rate

WORKERS = 8


def by_eight(job: Callable[[], Any]) -> list[Any]:
    barrier = Barrier(WORKERS)

    def work(number: int) -> Any:
        try:
            barrier.wait(60)
            return job()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(work, range(WORKERS)))


@pytest.mark.django_db(transaction=True)
def test_fa_26_eight_of_each_job_at_once_do_what_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "MORNING_HOUR", 0)
    taken: list[str] = []
    alert_handler("pager")(lambda message: taken.append(message.id))
    make_rate()
    acme = make_organization()
    budget = make_budget(acme, "0.009", enforcement="soft")
    AlertChannel.objects.create(organization=acme, name="pager", kind="handler", target="pager")
    AlertChannel.objects.create(
        organization=acme, name="mail", kind="email", target="a@example.org", sends_alerts=False, sends_reports=True
    )
    for _ in range(4):
        now = datetime.now(UTC)
        record_events([make_event(occurred_at=now), make_event(occurred_at=now, model="unheard-of")])
    for level in (50, 100, 150):
        budget.thresholds.create(level=level)  # after the usage: for the job alone to find
    for _ in range(2):
        by_eight(upkeep.fold_costs)
        by_eight(watch.check_budgets)
        by_eight(watch.find_alerts)
        by_eight(watch.deliver)
        by_eight(reports.send_daily_reports)
        by_eight(recommendations.look_for_recommendations)
        assert by_eight(upkeep.prove_books) == [0] * WORKERS
        assert verify_books() == []
        assert not DailyCostSummary.all_grains.filter(grain="pending").exists()
        assert BudgetCounter.objects.get().spent == Decimal("0.018")
        assert BudgetAlert.objects.filter(kind="budget").count() == 3
        assert BudgetAlert.objects.filter(kind="unpriced").count() == 1
        assert sorted(taken) == sorted(str(key) for key in AlertDelivery.objects.values_list("id", flat=True))
        assert set(AlertDelivery.objects.values_list("state", flat=True)) == {"sent"}
        assert len(mail.outbox) == ReportDelivery.objects.count() == 0
    assert FoundRecommendations.objects.get().organization == acme
    assert JobRun.objects.filter(last_error="").count() == 7


@pytest.mark.django_db(transaction=True)
def test_fa_26_eight_that_send_reports_at_once_send_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "MORNING_HOUR", 0)
    acme = make_organization()
    AlertChannel.objects.create(
        organization=acme, name="mail", kind="email", target="a@example.org", sends_reports=True
    )
    AlertChannel.objects.update(created_at=datetime(2026, 1, 1, tzinfo=UTC))
    sent = by_eight(reports.send_daily_reports)
    assert sum(one.sent for one in sent) == 3
    assert len(mail.outbox) == ReportDelivery.objects.filter(state="sent").count() == 3


@pytest.mark.django_db(transaction=True)
def test_fa_26_eight_that_book_what_a_dead_process_left_book_it_once(tmp_path: Path, settings: Any) -> None:
    settings.COSTTRACK = {"TRANSPORT": "spool", "SPOOL_DIR": tmp_path / "spool"}
    make_rate()
    make_organization()
    for dead in range(3):
        directory = prepared_directory(tmp_path / "spool")
        segment = WrittenSegment(directory, SegmentHeader(address=address_of("default")))
        segment.append(b"".join(encode(make_event(key=f"{dead}-{key}"), 1) for key in range(5)))
        segment.close()
    assert sum(by_eight(upkeep.flush_leftovers)) == 15
    assert by_eight(upkeep.flush_leftovers) == [0] * WORKERS
    assert ResourceUsage.objects.count() == 15
    assert verify_books() == []


@pytest.mark.django_db(transaction=True)
def test_fa_26_eight_that_make_partitions_make_each_once() -> None:
    make_organization()
    with time_machine.travel(datetime(2031, 5, 31, 23, 0, tzinfo=UTC)):
        made = by_eight(upkeep.make_partitions)
        assert sum(made) == (4 if connection.vendor == "postgresql" else 0)
        assert by_eight(upkeep.make_partitions) == [0] * WORKERS
        record_events([make_event(occurred_at=datetime.now(UTC))])
    assert ResourceUsage.objects.get().day == date(2031, 5, 31)
