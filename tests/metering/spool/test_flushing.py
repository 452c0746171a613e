"""From a metered call to the ledger by way of the spool."""

from __future__ import annotations

import asyncio
import shutil
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection, connections, transaction

import costtrack
from costtrack.exceptions import FlushInTransaction
from costtrack.metering import spool
from costtrack.metering.ledger import record
from costtrack.metering.spool import booking, flusher
from costtrack.metering.spool.header import HEADER_BYTES, read_header
from costtrack.metering.spool.running import _here
from costtrack.models import Installation, Organization, ResourceUsage
from tests.factories import make_event, make_organization, make_rate
from tests.metering.spool.spooling import CALL, hold_up_the_flusher, segments, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def acme(spool_dir: Path) -> None:
    make_rate()
    make_organization()


def test_an_event_is_on_disk_when_the_call_returns_and_in_the_ledger_after_a_flush(spool_dir: Path) -> None:
    with transaction.atomic():
        hold_up_the_flusher()
        usage = costtrack.record_usage(**CALL)
        assert (usage.status, usage.usage_id, usage.day) == ("spooled", None, None)
        [segment] = segments(spool_dir)
        assert usage.event.idempotency_key.encode() in segment.read_bytes()
    assert costtrack.flush(10)
    row = ResourceUsage.objects.get()
    assert (row.idempotency_key, row.cost_usd) == (usage.event.idempotency_key, Decimal("0.0045"))


def test_the_cost_of_a_spooled_event_is_that_of_the_rates_in_force() -> None:
    usage = costtrack.record_usage(**CALL)
    assert usage.cost_usd == Decimal("0.0045")
    with costtrack.meter("chat", organization="acme", provider="openai", model="test-model") as call:
        call.set_usage(input_tokens=2000, output_tokens=100)
        assert call.cost_usd == Decimal("0.0075")  # 2000 x 3 + 100 x 15 = 7500 per million
    assert call.cost_usd == Decimal("0.0075")
    assert call.result is not None
    assert call.result.status == "spooled"


def test_it_is_booked_within_seconds_without_a_flush() -> None:
    costtrack.record_usage(**CALL)
    wait_until(ResourceUsage.objects.exists)


def test_the_header_names_the_database_once_the_flusher_has_spoken_to_it(spool_dir: Path) -> None:
    costtrack.record_usage(**CALL)
    assert costtrack.flush(10)
    header = read_header(segments(spool_dir)[0].read_bytes()[:HEADER_BYTES])
    assert header is not None
    assert header.installation == Installation.objects.get().uuid


def test_usage_survives_the_callers_rollback() -> None:
    with transaction.atomic():
        make_organization("never")
        costtrack.record_usage(**CALL)
        transaction.set_rollback(True)
    assert costtrack.flush(10)
    assert not Organization.objects.filter(slug="never").exists()
    assert ResourceUsage.objects.count() == 1


def test_a_flush_without_any_usage_is_done_at_once_and_starts_nothing() -> None:
    assert costtrack.flush(5)
    assert spool.running() is None


def test_a_flush_that_is_not_given_time_loses_nothing() -> None:
    costtrack.record_usage(**CALL)
    costtrack.flush(0)
    costtrack.record_usage(**CALL)
    assert costtrack.flush(10)
    assert ResourceUsage.objects.count() == 2


def test_a_flush_inside_a_transaction_works_but_on_sqlite_where_it_would_wait_for_itself() -> None:
    with transaction.atomic():
        make_organization("writing")
        costtrack.record_usage(**CALL)
        if connection.vendor == "sqlite":
            with pytest.raises(FlushInTransaction, match="would wait for itself"):
                costtrack.flush(10)
        else:
            assert costtrack.flush(10)
    assert costtrack.flush(10)
    assert ResourceUsage.objects.count() == 1


def test_two_thousand_events_of_eight_threads_all_land_once() -> None:
    def meter(number: int) -> None:
        for count in range(250):
            costtrack.record_usage(**CALL, idempotency_key=f"{number}-{count}")
        connections.close_all()

    threads = [threading.Thread(target=meter, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert costtrack.flush(60)
    keys = list(ResourceUsage.objects.values_list("idempotency_key", flat=True))
    assert len(keys) == len(set(keys)) == 2000
    running = spool.running()
    assert running is not None
    assert running.counters.in_this_process()["recorded"] == 2000


def test_the_same_key_again_is_a_duplicate_and_other_usage_a_dead_letter(spool_dir: Path) -> None:
    costtrack.record_usage(**CALL, idempotency_key="k")
    costtrack.record_usage(**CALL, idempotency_key="k")
    costtrack.record_usage(**{**CALL, "output_tokens": 7}, idempotency_key="k")
    assert costtrack.flush(10)
    assert ResourceUsage.objects.count() == 1
    running = spool.running()
    assert running is not None
    counted = running.counters.in_this_process()
    assert [counted[name] for name in ("recorded", "duplicates", "conflicts", "dead_letters")] == [1, 1, 1, 1]
    [(reason, count)] = running.dead_letters.reasons()
    assert (reason.split(":")[0], count) == ("conflict", 1)


def test_an_event_of_an_organization_that_is_committed_later_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("costtrack.metering.spool.waiting.RETRY_SECONDS", 0.1)
    costtrack.record_usage(**{**CALL, "organization": "tomorrow"})
    assert costtrack.flush(10)  # it waits on disk
    assert ResourceUsage.objects.count() == 0
    make_organization("tomorrow")
    wait_until(ResourceUsage.objects.filter(organization__slug="tomorrow").exists)


def test_an_event_of_an_organization_that_never_comes_is_a_dead_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("costtrack.metering.spool.booking.PATIENCE_SECONDS", 0)
    costtrack.record_usage(**{**CALL, "organization": "mistyped"})
    assert costtrack.flush(10)
    running = spool.running()
    assert running is not None
    [(reason, _)] = running.dead_letters.reasons()
    assert reason == "rejected: Organization 'mistyped' does not exist; usage never creates one."
    assert ResourceUsage.objects.count() == 0


def test_events_that_a_stopped_process_left_are_booked_by_the_next(spool_dir: Path) -> None:
    costtrack.record_usage(**CALL)
    running = spool.running()
    assert running is not None
    running.flusher._is_stopping = True  # it books no more, as after a kill
    running.flusher._thread.join(10)
    costtrack.record_usage(**CALL)
    running.appender.close()
    _here().running = None
    left = ResourceUsage.objects.count()
    assert left < 2
    costtrack.record_usage(**CALL)
    wait_until(lambda: ResourceUsage.objects.count() == 3)
    wait_until(lambda: len(segments(spool_dir)) == 1)


def test_a_stop_books_what_is_there_and_leaves_no_segment(spool_dir: Path) -> None:
    costtrack.record_usage(**CALL)
    assert spool.stop(10)
    assert (ResourceUsage.objects.count(), segments(spool_dir)) == (1, [])
    assert not [thread for thread in threading.enumerate() if thread.name == "costtrack-flusher"]
    costtrack.record_usage(**CALL)  # begins anew
    assert costtrack.flush(10)
    assert ResourceUsage.objects.count() == 2


def test_a_full_segment_is_followed_by_another_and_both_go_when_they_are_booked(
    spool_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("costtrack.metering.spool.appender.SEGMENT_BYTES", 2000)
    with transaction.atomic():
        hold_up_the_flusher()
        for _ in range(20):
            costtrack.record_usage(**CALL)
        assert len(segments(spool_dir)) > 2
    assert costtrack.flush(10)
    wait_until(lambda: len(segments(spool_dir)) == 1)
    assert ResourceUsage.objects.count() == 20


def test_a_long_segment_is_emptied_once_all_of_it_is_booked(spool_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("costtrack.metering.spool.appender.CLEARED_ABOVE_BYTES", 1000)
    for _ in range(10):
        costtrack.record_usage(**CALL)
    assert costtrack.flush(10)
    wait_until(lambda: segments(spool_dir)[0].stat().st_size == HEADER_BYTES)
    costtrack.record_usage(**CALL)
    assert costtrack.flush(10)
    assert ResourceUsage.objects.count() == 11


def test_while_the_database_refuses_everything_usage_waits_and_the_error_is_counted_and_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = booking.record_events

    def away(*args: Any, **kwargs: Any) -> Any:
        raise OperationalError("the server closed the connection unexpectedly")

    monkeypatch.setattr(flusher, "FIRST_DELAY_SECONDS", 0.01)
    monkeypatch.setattr(booking, "record_events", away)
    costtrack.record_usage(**CALL)
    running = spool.running()
    assert running is not None
    wait_until(lambda: running.counters.in_this_process()["flush_errors"] >= 2)
    assert "closed the connection" in running.flusher.last_error
    assert not costtrack.flush(0.05)
    monkeypatch.setattr(booking, "record_events", real)
    assert costtrack.flush(10)
    assert ResourceUsage.objects.count() == 1
    wait_until(lambda: running.flusher.last_error == "")
    told = [record.message for record in caplog.records if record.name == "costtrack"]
    assert sum("Usage can not be booked now" in one for one in told) == 1  # once, not with every attempt
    assert sum("reaches the database again" in one for one in told) == 1


def test_subscribers_are_told_once_what_landed_although_the_answer_to_its_commit_was_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = record.write_staged
    lost = ["the answer to the first commit"]

    def commit_and_lose_the_answer(*args: Any, **kwargs: Any) -> Any:
        results = real(*args, **kwargs)
        if lost:
            lost.clear()
            raise OperationalError("server closed the connection unexpectedly")
        return results

    told: list[str] = []
    callback = costtrack.subscribe(lambda usage: told.append(usage.event.idempotency_key))
    monkeypatch.setattr(flusher, "FIRST_DELAY_SECONDS", 0.01)
    monkeypatch.setattr(record, "write_staged", commit_and_lose_the_answer)
    try:
        costtrack.record_usage(**CALL, idempotency_key="a")
        costtrack.record_usage(**CALL, idempotency_key="a")  # still a duplicate, of itself
        assert costtrack.flush(10)
        costtrack.record_usage(**CALL, idempotency_key="a")
        assert costtrack.flush(10)
    finally:
        costtrack.unsubscribe(callback)
    assert (told, lost, ResourceUsage.objects.count()) == (["a"], [], 1)
    running = spool.running()
    assert running is not None
    counted = running.counters.in_this_process()
    assert (counted["recorded"], counted["duplicates"]) == (1, 2)


async def _metered() -> str:
    async with costtrack.meter("chat", organization="acme", provider="openai", model="test-model") as call:
        call.set_usage(input_tokens=1000, output_tokens=100)
    assert call.result is not None
    return call.result.status


def test_a_coroutine_spools_too() -> None:
    assert asyncio.run(_metered()) == "spooled"
    assert costtrack.flush(10)
    assert ResourceUsage.objects.get().cost_usd == Decimal("0.0045")


def test_usage_that_is_still_in_the_spool_can_be_corrected() -> None:
    usage = costtrack.record_usage(**CALL)
    row = costtrack.adjust_usage(usage, reason="invoice", cost_usd="-0.0005")
    assert ResourceUsage.objects.get(id=row.corrects_id).idempotency_key == usage.event.idempotency_key
    costtrack.void_usage(usage, reason="test")
    assert sum(row.cost_usd for row in ResourceUsage.objects.all()) == 0


def test_usage_that_never_reached_the_ledger_can_not_be_corrected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(booking, "PATIENCE_SECONDS", 0)
    usage = costtrack.record_usage(**{**CALL, "organization": "mistyped"})
    with pytest.raises(costtrack.InvalidCorrection, match=r"is not in the ledger: it still waits in the spool, or is"):
        costtrack.void_usage(usage, reason="test")


def test_usage_whose_key_was_refused_can_not_be_corrected_for_that_is_other_usage() -> None:
    costtrack.record_usage(**CALL, idempotency_key="k")
    assert costtrack.flush(10)
    other = costtrack.record_usage(**{**CALL, "input_tokens": 7}, idempotency_key="k")
    with pytest.raises(costtrack.IdempotencyConflict):
        costtrack.void_usage(other, reason="test")
    assert ResourceUsage.objects.count() == 1


def test_usage_can_be_corrected_at_once_in_a_coroutine() -> None:
    async def meter_and_void() -> None:
        costtrack.void_usage(costtrack.record_usage(**CALL), reason="test")

    asyncio.run(meter_and_void())
    assert ResourceUsage.objects.count() == 2


def test_a_repeated_key_in_a_later_batch_of_one_call_is_a_duplicate() -> None:
    events = [make_event(key=f"k{number}") for number in range(1000)]
    results = record.record_events([*events, events[0]])
    assert [str(results[0].status), str(results[-1].status)] == ["recorded", "duplicate"]


def test_events_are_never_booked_into_another_database_than_that_of_their_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As at the end of `manage.py test`, when the real database has its name back."""
    with transaction.atomic():
        hold_up_the_flusher()
        costtrack.record_usage(**CALL)
        monkeypatch.setattr(booking, "address_of", lambda alias: "0" * 16)
    running = spool.running()
    assert running is not None
    wait_until(lambda: "another one than when these events were metered" in running.flusher.last_error)
    assert not ResourceUsage.objects.exists()
    monkeypatch.undo()
    assert costtrack.flush(10)
    assert ResourceUsage.objects.count() == 1


def test_waiting_for_a_database_that_is_away_does_not_hammer_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*args: Any, **kwargs: Any) -> Any:
        raise OperationalError("no route to host")

    monkeypatch.setattr(booking, "record_events", away)
    costtrack.record_usage(**CALL)
    assert not costtrack.flush(1.0)
    running = spool.running()
    assert running is not None
    assert running.counters.in_this_process()["flush_errors"] <= 10  # four a second, not thousands


def test_the_flusher_lives_on_whatever_fails_and_comes_back_if_it_has_died(monkeypatch: pytest.MonkeyPatch) -> None:
    costtrack.record_usage(**CALL)
    running = spool.running()
    assert running is not None
    monkeypatch.setattr(running.flusher, "_book_all", lambda now: 1 / 0)
    monkeypatch.setattr(running.flusher, "_failed", lambda *args: 1 / 0)
    assert not costtrack.flush(0.5)
    monkeypatch.undo()
    assert costtrack.flush(10)
    thread = running.flusher._thread
    assert thread is not None
    running.flusher._is_stopping = True
    thread.join(10)
    running.flusher._is_stopping, running.flusher._thread = False, None  # as where no thread could start
    costtrack.record_usage(**CALL)
    assert costtrack.flush(10)
    assert ResourceUsage.objects.count() == 2


def test_a_deleted_segment_is_told_booked_and_followed_by_a_new_one(
    spool_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with transaction.atomic():
        hold_up_the_flusher()
        costtrack.record_usage(**CALL)
        shutil.rmtree(spool_dir)
    wait_until(lambda: "was deleted while it was in use" in caplog.text)
    costtrack.record_usage(**CALL)
    assert costtrack.flush(10)
    assert (ResourceUsage.objects.count(), len(segments(spool_dir))) == (2, 1)
