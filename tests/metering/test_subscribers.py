from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connections

from costtrack.domain.events import Attribution, CostSource, UsageEvent
from costtrack.metering import subscriber_thread, subscribers
from costtrack.metering.record import record_usage
from costtrack.metering.recorded import RecordedUsage
from costtrack.metering.subscribers import deliver, drain, subscribe, subscriber_health, unsubscribe
from costtrack.models import Organization, ResourceUsage


def recorded(number: int) -> RecordedUsage:
    event = UsageEvent(
        idempotency_key=f"k{number}",
        occurred_at=datetime(2023, 11, 16, tzinfo=UTC),
        attribution=Attribution(),
        resource_type="llm_tokens",
        amount=Decimal(1500),
    )
    return RecordedUsage(
        event=event,
        status="recorded",
        usage_id=number,
        day=date(2023, 11, 16),
        booked_cost_usd=Decimal("0.06"),
        booked_cost_source=CostSource.ESTIMATED,
    )


ONE, TWO, THREE, FOUR, FIVE = (recorded(number) for number in range(1, 6))


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A busy machine is not taken for a hanging callback, and no subscriber is left for the next test."""
    monkeypatch.setattr(subscribers, "LONGEST_WAIT_SECONDS", 30.0)
    assert subscriber_health() == ()
    yield
    for each in subscribers._subscribers:
        unsubscribe(each.callback)


@dataclass
class Hanging:
    """A callback that keeps what it gets, but hangs at the first event until it is let go."""

    got: list[RecordedUsage] = field(default_factory=list)
    began: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)

    def __call__(self, usage: RecordedUsage) -> None:
        self.began.set()
        assert self.let_go.wait(30)
        self.got.append(usage)


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hanging]:
    monkeypatch.setattr(subscribers, "LONGEST_WAIT_SECONDS", 0.2)
    callback = subscribe(Hanging())
    yield callback
    callback.let_go.set()


def failing(usage: RecordedUsage) -> None:
    raise LookupError(usage.usage_id)


def counts() -> list[tuple[int, int, int, int]]:
    """Delivered, raised, dropped and behind of each subscriber."""
    return [(each.delivered, each.raised, each.dropped, each.behind) for each in subscriber_health()]


def wait_until(holds: Callable[[], bool]) -> None:
    end = monotonic() + 30
    while not holds():
        assert monotonic() < end
        sleep(0.005)


def test_every_subscriber_has_got_every_event_once_in_order_when_the_delivery_returns() -> None:
    first: list[RecordedUsage] = []
    second: list[RecordedUsage] = []
    subscribe(first.append)
    subscribe(second.append)
    deliver([ONE, TWO])
    assert first == second == [ONE, TWO]
    deliver([THREE])
    assert first == second == [ONE, TWO, THREE]
    assert (first[0].event.idempotency_key, first[0].usage_id, first[0].cost_usd) == ("k1", 1, Decimal("0.06"))
    assert counts() == [(3, 0, 0, 0), (3, 0, 0, 0)]


def test_it_is_a_decorator_that_leaves_the_function_as_it_is() -> None:
    got: list[RecordedUsage] = []

    def bill(usage: RecordedUsage) -> None:
        got.append(usage)

    assert subscribe(bill) is bill
    deliver([ONE])
    assert got == [ONE]
    assert subscriber_health()[0].name == f"{__name__}.{bill.__qualname__}"


def test_the_same_callback_twice_is_called_once_and_a_method_is_the_same_each_time() -> None:
    got: list[RecordedUsage] = []
    subscribe(got.append)
    subscribe(got.append)
    callback = Hanging()
    callback.let_go.set()
    subscribe(callback.__call__)
    subscribe(callback.__call__)
    deliver([ONE])
    assert got == callback.got == [ONE]
    assert unsubscribe(got.append) is True
    assert unsubscribe(callback.__call__) is True
    deliver([TWO])
    assert got == callback.got == [ONE]
    assert subscriber_health() == ()


@dataclass
class Booking:
    account: str
    got: list[RecordedUsage] = field(default_factory=list, compare=False)

    def __call__(self, usage: RecordedUsage) -> None:
        self.got.append(usage)


def test_two_callbacks_that_are_equal_but_not_the_same_are_both_called() -> None:
    first, second = subscribe(Booking("fees")), subscribe(Booking("fees"))
    assert first == second
    deliver([ONE])
    assert first.got == second.got == [ONE]


def test_to_unsubscribe_what_is_not_subscribed_is_no_error() -> None:
    assert unsubscribe(failing) is False


def test_a_callback_is_held_though_nobody_else_does() -> None:
    got: list[RecordedUsage] = []

    class Biller:
        def bill(self, usage: RecordedUsage) -> None:
            got.append(usage)

    subscribe(Biller().bill)
    deliver([ONE])
    assert got == [ONE]


def test_one_that_raises_starves_nobody_and_is_logged_once_with_its_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    got: list[RecordedUsage] = []
    subscribe(failing)
    subscribe(got.append)
    deliver([ONE] * 1000)
    deliver([TWO])
    assert got == [ONE] * 1000 + [TWO]
    assert counts() == [(0, 1001, 0, 0), (1001, 0, 0, 0)]
    [line] = caplog.records
    assert line.levelname == "ERROR"
    assert "failing raised LookupError. Raised so far: 1;" in line.getMessage()
    assert line.exc_info is not None
    assert "in failing" in caplog.text


def test_one_that_still_raises_later_is_logged_again_with_how_often(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(failing)
    deliver([ONE, TWO])
    monkeypatch.setattr(subscriber_thread, "LOG_EVERY_SECONDS", 0)
    deliver([THREE])
    first, second = (line.getMessage() for line in caplog.records)
    assert "Raised so far: 1;" in first
    assert "Raised so far: 3;" in second


def test_a_callback_that_exits_ends_neither_its_thread_nor_the_process() -> None:
    got: list[RecordedUsage] = []

    def leave(usage: RecordedUsage) -> None:
        got.append(usage)
        sys.exit(1)

    subscribe(leave)
    deliver([ONE])
    deliver([TWO])
    assert got == [ONE, TWO]
    assert counts() == [(0, 2, 0, 0)]


def test_one_that_hangs_costs_the_wait_once_and_gets_everything_in_order_later(
    hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    got: list[RecordedUsage] = []
    subscribe(got.append)
    deliver([ONE, TWO])
    assert hanging.began.is_set()
    monkeypatch.setattr(subscribers, "LONGEST_WAIT_SECONDS", 30.0)
    started = monotonic()
    deliver([THREE])
    deliver([FOUR])
    assert monotonic() - started < 15
    assert got == [ONE, TWO, THREE, FOUR]
    assert counts() == [(0, 0, 0, 4), (4, 0, 0, 0)]
    hanging.let_go.set()
    assert drain()
    assert hanging.got == [ONE, TWO, THREE, FOUR]
    wait_until(lambda: not subscribers._subscribers[0]._is_behind)
    deliver([FIVE])
    assert hanging.got[4:] == [FIVE]  # it is waited for again


def test_the_wait_is_one_second_for_all_that_hang(hanging: Hanging, monkeypatch: pytest.MonkeyPatch) -> None:
    others = [subscribe(Hanging(let_go=hanging.let_go)) for _ in range(9)]
    monkeypatch.setattr(subscribers, "LONGEST_WAIT_SECONDS", 1.0)
    started = monotonic()
    deliver([ONE])
    assert 1.0 <= monotonic() - started < 5.0  # ten waits of 1 s would be 10
    assert len(others) == 9
    assert {each.behind for each in subscriber_health()} == {1}


def test_past_the_bound_the_newest_events_are_dropped_counted_and_logged_once(
    hanging: Hanging, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriber_thread, "MAX_WAITING", 2)
    got: list[RecordedUsage] = []
    subscribe(got.append)
    deliver([ONE])
    assert hanging.began.wait(30)
    for usage in (TWO, THREE, FOUR, FIVE):
        deliver([usage])
        wait_until(lambda: not subscriber_health()[1].behind)
    assert got == [ONE, TWO, THREE, FOUR, FIVE]
    # One in the callback, two in the queue, two dropped.
    assert counts() == [(0, 0, 2, 3), (5, 0, 0, 0)]
    [line] = caplog.records
    assert line.levelname == "ERROR"
    assert "Hanging is 2 events behind" in line.getMessage()
    hanging.let_go.set()
    assert drain()
    assert hanging.got == [ONE, TWO, THREE]
    wait_until(lambda: len(caplog.records) == 2)
    assert "has caught up. It never got 2 events" in caplog.records[1].getMessage()


def test_marks_do_not_pile_up_behind_one_that_hangs(hanging: Hanging, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriber_thread, "MAX_WAITING", 2)
    for _ in range(20):
        deliver([ONE])
        drain(0)
    assert len(subscribers._subscribers[0]._waiting) <= 5


def test_a_delivery_longer_than_the_queue_loses_nothing_for_one_that_keeps_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subscriber_thread, "MAX_WAITING", 2)
    monkeypatch.setattr(subscribers, "EVENTS_AT_ONCE", 2)
    got: list[RecordedUsage] = []
    subscribe(got.append)
    deliver((ONE, TWO, THREE, FOUR, FIVE))
    assert got == [ONE, TWO, THREE, FOUR, FIVE]


def test_deliveries_of_many_threads_reach_each_subscriber_once() -> None:
    got: list[RecordedUsage] = []
    subscribe(got.append)
    threads = [threading.Thread(target=lambda: [deliver([ONE, TWO]) for _ in range(50)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [ONE, TWO] * 400


def test_without_subscribers_or_events_no_thread_starts() -> None:
    before = threading.active_count()
    deliver([ONE])
    subscribe(failing)
    deliver([])
    assert threading.active_count() == before


def test_a_callback_that_causes_a_delivery_gets_that_too_and_does_not_wait_for_itself() -> None:
    got: list[RecordedUsage] = []

    def echo(usage: RecordedUsage) -> None:
        if usage is ONE:
            deliver([TWO])
            assert drain() is False
        got.append(usage)

    subscribe(echo)
    started = monotonic()
    deliver([ONE])
    assert monotonic() - started < 15
    assert drain()
    assert got == [ONE, TWO]
    assert counts() == [(2, 0, 0, 0)]


def test_a_callback_may_subscribe_another_and_unsubscribe_itself() -> None:
    first: list[RecordedUsage] = []
    second: list[RecordedUsage] = []

    def hand_over(usage: RecordedUsage) -> None:
        first.append(usage)
        subscribe(second.append)
        assert unsubscribe(hand_over)

    subscribe(hand_over)
    deliver([ONE, TWO])
    deliver([THREE])
    assert (first, second) == ([ONE], [THREE])


def test_unsubscribing_one_that_hangs_forgets_what_waits_and_lets_its_waiters_go(
    hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscribers, "LONGEST_WAIT_SECONDS", 30.0)
    delivery = threading.Thread(target=deliver, args=([ONE, TWO],))
    delivery.start()
    assert hanging.began.wait(30)
    [thread] = [each for each in threading.enumerate() if each.name.startswith("costtrack subscriber")]
    assert unsubscribe(hanging)
    delivery.join(15)
    assert not delivery.is_alive()
    hanging.let_go.set()
    thread.join(15)
    assert not thread.is_alive()
    assert hanging.got == [ONE]


async def asynchronous(usage: RecordedUsage) -> None: ...


async def asynchronous_generator(usage: RecordedUsage) -> Any:
    yield usage


def generator(usage: RecordedUsage) -> Iterator[RecordedUsage]:
    yield usage


class AsynchronousCallable:
    async def __call__(self, usage: RecordedUsage) -> None: ...


@pytest.mark.parametrize(
    ("callback", "says"),
    [
        (asynchronous, "is async.*async_to_sync"),
        (partial(asynchronous), "is async"),
        (AsynchronousCallable(), "is async"),
        (AsynchronousCallable().__call__, "is async"),
        (asynchronous_generator, "is a generator function"),
        (generator, "is a generator function"),
        (None, "got None, expected a function"),
        ("billing.charge", "got 'billing.charge', expected a function"),
    ],
)
def test_what_a_plain_call_would_not_run_is_refused(callback: Any, says: str) -> None:
    with pytest.raises(TypeError, match=says):
        subscribe(callback)
    assert subscriber_health() == ()


def test_an_async_function_that_is_wrapped_as_the_refusal_says_is_run() -> None:
    got: list[RecordedUsage] = []

    async def charge(usage: RecordedUsage) -> None:
        got.append(usage)

    subscribe(async_to_sync(charge))
    deliver([ONE])
    assert got == [ONE]


def test_a_coroutine_that_a_plain_function_returns_is_counted_as_raised(caplog: pytest.LogCaptureFixture) -> None:
    subscribe(lambda usage: usage and asynchronous(usage))
    deliver([ONE])
    assert counts() == [(0, 1, 0, 0)]
    assert "returned a coroutine, which nobody awaits" in caplog.text


def test_drain_waits_for_what_is_behind_and_tells_when_that_took_too_long(hanging: Hanging) -> None:
    assert drain(0)
    deliver([ONE, TWO])
    assert drain(0.01) is False
    hanging.let_go.set()
    assert drain(30)
    assert hanging.got == [ONE, TWO]


def test_without_a_thread_to_be_had_events_wait_for_the_next_delivery(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    got: list[RecordedUsage] = []
    subscribe(got.append)

    def no_thread(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_thread)
        started = monotonic()
        deliver([ONE])
        assert monotonic() - started < 15  # nothing is waited for that cannot come
    assert got == []
    assert "has no thread, its events wait: can't start new thread" in caplog.text
    deliver([TWO])
    assert drain()
    assert got == [ONE, TWO]


FORK = """
import os, sys, threading
from costtrack.metering.subscribers import deliver, drain, subscribe, subscriber_health

got, held = [], threading.Event()
busy = threading.Event()

@subscribe
def keep(usage):
    got.append(usage)
    if usage == "hang":
        busy.set()
        held.wait(30)

deliver(["parent"])
threading.Thread(target=deliver, args=(["hang", "waits"],), daemon=True).start()
busy.wait(30)
child = os.fork()
if not child:
    [health] = subscriber_health()
    assert (health.delivered, health.behind) == (0, 0), health
    deliver(["child"])
    assert got == ["parent", "hang", "child"], got
    assert drain(30)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
held.set()
assert drain(30)
assert got == ["parent", "hang", "waits"], got
print("both went on", logging_free := "django.db" not in sys.modules)
"""


def test_a_fork_keeps_subscriptions_and_leaves_what_waits_to_the_parent() -> None:
    # A process of its own, because a fork with threads is a warning. It never loads Django's database layer.
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "both went on True\n", "")


@pytest.mark.django_db(transaction=True)
def test_a_callback_sees_what_is_committed_and_its_connection_is_closed_when_the_delivery_returns() -> None:
    Organization.objects.create(slug="acme")
    seen: list[tuple[list[str], Any]] = []

    def look(usage: RecordedUsage) -> None:
        slugs = list(Organization.objects.filter(slug="acme").values_list("slug", flat=True))
        seen.append((slugs, connections["default"]))

    subscribe(look)
    deliver([ONE])
    [(slugs, of_the_thread)] = seen
    assert slugs == ["acme"]
    assert of_the_thread is not connections["default"]
    assert of_the_thread.connection is None


@pytest.mark.django_db(transaction=True)
def test_a_callback_may_meter() -> None:
    Organization.objects.create(slug="default")

    def charge_a_fee(usage: RecordedUsage) -> None:
        if usage.event.resource_type != "fee":
            record_usage(resource_type="fee", amount=1, cost_usd="0.01")

    subscribe(charge_a_fee)
    record_usage(model="gpt-4", cost_usd="0.06")
    wait_until(lambda: counts() == [(2, 0, 0, 0)])  # it got its own fee, too
    assert list(ResourceUsage.objects.order_by("cost_usd").values_list("cost_usd", flat=True)) == [
        Decimal("0.01"),
        Decimal("0.06"),
    ]


def test_the_logger_is_the_one_that_hosts_configure(caplog: pytest.LogCaptureFixture) -> None:
    subscribe(failing)
    deliver([ONE])
    assert caplog.record_tuples[0][:2] == ("costtrack", logging.ERROR)
