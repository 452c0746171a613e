"""Many writers, folds and rebuilds at once, on real connections: nothing is lost, doubled or deadlocked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import close_old_connections, connection, connections
from django.db.models import Sum

from costtrack.aggregation import fold_pending, rebuild_summaries, verify_books
from costtrack.exceptions import InvalidCorrection
from costtrack.metering.corrections import adjust_usage, void_usage
from costtrack.metering.ledger import record_events
from costtrack.models import DailyCostSummary, Project, ResourceUsage, UsageKey
from tests.factories import NOON, make_event, make_organization, make_rate, summed

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*actions: Callable[[], None]) -> list[BaseException]:
    """Run the actions in threads that start together; their errors."""
    errors: list[BaseException] = []
    barrier = threading.Barrier(len(actions))

    def run(action: Callable[[], None]) -> None:
        try:
            barrier.wait(30)
            action()
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive(), "a thread hangs"
    close_old_connections()
    return errors


@pytest.fixture(autouse=True)
def acme() -> None:
    make_rate()
    make_organization()


def total_cost() -> Decimal:
    return summed(DailyCostSummary.objects.aggregate(total=Sum("cost_usd"))["total"])


def test_one_key_from_twenty_threads_is_one_charge() -> None:
    event = make_event(key="same")
    statuses: list[str] = []
    usage_ids: set[int | None] = set()

    def record() -> None:
        [result] = record_events([event])
        statuses.append(str(result.status))
        usage_ids.add(result.usage_id)

    assert at_once(*[record] * 20) == []
    assert sorted(statuses) == ["duplicate"] * 19 + ["recorded"]
    assert len(usage_ids) == 1
    assert total_cost() == Decimal("0.0045")


def test_writers_that_share_keys_in_opposite_orders_never_deadlock() -> None:
    events = [make_event(key=f"shared-{number}") for number in range(200)]
    rounds = [
        lambda: [record_events(events[start : start + 50]) for start in range(0, 200, 50)] and None,
        lambda: [record_events(events[start : start + 50][::-1]) for start in range(150, -1, -50)] and None,
    ]
    assert at_once(*rounds, *rounds) == []
    assert ResourceUsage.objects.count() == UsageKey.objects.count() == 200
    assert verify_books() == []


def test_folds_and_rebuilds_among_writers_lose_and_double_nothing() -> None:
    def write(writer: int) -> Callable[[], None]:
        def run() -> None:
            for batch in range(8):
                events = [
                    make_event(
                        key=f"{writer}-{batch}-{number}",
                        attribution={"project": f"p{number % 3}", "agent": f"a{number % 5}"},
                        occurred_at=NOON - timedelta(days=number % 3),
                    )
                    for number in range(20)
                ]
                record_events(events)

        return run

    def fold() -> None:
        for _ in range(6):
            fold_pending()

    def rebuild() -> None:
        for _ in range(3):
            rebuild_summaries(start=(NOON - timedelta(days=1)).date(), end=(NOON + timedelta(days=1)).date())

    assert at_once(write(1), write(2), write(3), fold, fold, rebuild) == []
    assert verify_books() == []
    # 3 writers x 8 batches x 20 calls x 0.0045
    assert total_cost() == Decimal("2.16")
    fold_pending()
    assert verify_books() == []


def test_the_books_agree_in_every_snapshot_while_writers_write() -> None:
    done = threading.Event()
    checked: list[int] = []

    def write() -> None:
        try:
            for number in range(40):
                record_events([make_event(key=f"w{number}-{part}") for part in range(5)])
                if number % 5 == 0:
                    fold_pending()
        finally:
            done.set()

    def check() -> None:
        while not done.is_set():
            assert verify_books() == []
            checked.append(ResourceUsage.objects.count())

    assert at_once(write, check) == []
    assert len(checked) >= 3
    assert ResourceUsage.objects.count() == 200


def test_two_corrections_at_once_never_take_back_more_than_there_was() -> None:
    [result] = record_events([make_event()])
    refused: list[str] = []

    def take_back() -> None:
        try:
            adjust_usage(result.usage_id or 0, reason="invoice", cost_usd="-0.003")
        except InvalidCorrection as error:
            refused.append(str(error))

    def void() -> None:
        try:
            void_usage(result.usage_id or 0, reason="test")
        except InvalidCorrection as error:
            refused.append(str(error))

    assert at_once(take_back, take_back, void, void) == []
    assert len(refused) in (2, 3)  # the void, and at most one adjustment before it
    assert total_cost() == 0
    assert verify_books() == []


def test_a_new_project_from_many_threads_appears_once() -> None:
    def record(number: int) -> Callable[[], None]:
        return lambda: record_events([make_event(attribution={"project": "new", "agent": f"a{number % 2}"})]) and None

    assert at_once(*[record(number) for number in range(8)]) == []
    assert Project.objects.filter(slug="new").count() == 1
    assert ResourceUsage.objects.filter(project__slug="new", agent__isnull=False).count() == 8


def test_partitions_of_one_month_made_by_many_writers_at_once_are_one() -> None:
    old = NOON.replace(year=2022)

    def record(number: int) -> Callable[[], None]:
        event = make_event(key=f"old-{number}", occurred_at=old)
        return lambda: record_events([event], creates_partitions=True) and None

    assert at_once(*[record(number) for number in range(6)]) == []
    assert ResourceUsage.objects.filter(day=old.date()).count() == 6
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM costtrack_resourceusage_y2022m11")
            assert cursor.fetchone()[0] == 6
            cursor.execute("TRUNCATE costtrack_resourceusage")
            cursor.execute("DROP TABLE costtrack_resourceusage_y2022m11")
