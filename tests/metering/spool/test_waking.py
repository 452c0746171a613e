"""What wakes the flusher at once: a thousand events, or one that settles a reservation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from costtrack.domain.events import UsageEvent
from costtrack.metering import spool
from costtrack.metering.spool.appender import Appender
from costtrack.metering.spool.directory import prepared_directory
from costtrack.metering.spool.encoding import encode
from tests.factories import make_event, make_organization

HOLD = "0123456789abcdef0123456789abcdef"
WAYS: list[Callable[[Appender, Sequence[UsageEvent]], object]] = [
    lambda appender, events: [
        appender.append(encode(event, 1), count=1, is_urgent=event.hold_id != "") for event in events
    ],
    lambda appender, events: appender.append_all(events),
]


def woken_by(way: Callable[[Appender, Sequence[UsageEvent]], object], events: Sequence[UsageEvent], path: Path) -> int:
    """How often the flusher was woken."""
    appender = Appender(prepared_directory(path), address="0" * 16)
    calls: list[None] = []
    appender.on_batch = lambda: calls.append(None)
    try:
        way(appender, events)
        assert appender.spooled == len(events)
    finally:
        appender.close()
    return len(calls)


@pytest.mark.parametrize("way", WAYS)
def test_usage_that_settles_a_reservation_wakes_the_flusher_and_other_usage_waits(
    way: Callable[[Appender, Sequence[UsageEvent]], object], spool_dir: Path
) -> None:
    usual = make_event(key="a")
    assert woken_by(way, [usual, usual], spool_dir) == 0
    assert woken_by(way, [usual, replace(usual, hold_id=HOLD)], spool_dir) == 1


@pytest.mark.django_db(transaction=True)
def test_the_spool_of_this_process_is_woken_so_too(spool_dir: Path) -> None:
    make_organization()
    spool.append(make_event(key="a"))
    running = spool.running()
    assert running is not None
    calls: list[None] = []
    running.appender.on_batch = lambda: calls.append(None)
    spool.append(make_event(key="b"))
    assert calls == []
    spool.append(replace(make_event(key="c"), hold_id=HOLD))
    assert calls == [None]
    spool.append_all([make_event(key="d"), replace(make_event(key="e"), hold_id=HOLD)])
    assert calls == [None, None]


@pytest.mark.parametrize("way", WAYS)
def test_every_thousandth_event_wakes_the_flusher(
    way: Callable[[Appender, Sequence[UsageEvent]], object], spool_dir: Path
) -> None:
    assert woken_by(way, [make_event(key="a")] * 999, spool_dir) == 0
    assert woken_by(way, [make_event(key="a")] * 1000, spool_dir) == 1
