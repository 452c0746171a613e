"""What wakes the flusher at once: a thousand events, or one that settles a reservation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from costtrack.domain.events import UsageEvent
from costtrack.metering.spool.appender import Appender
from costtrack.metering.spool.directory import prepared_directory
from tests.factories import make_event

HOLD = "0123456789abcdef0123456789abcdef"
WAYS: list[Callable[[Appender, Sequence[UsageEvent]], object]] = [
    lambda appender, events: [appender.append(event) for event in events],
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


@pytest.mark.parametrize("way", WAYS)
def test_every_thousandth_event_wakes_the_flusher(
    way: Callable[[Appender, Sequence[UsageEvent]], object], spool_dir: Path
) -> None:
    assert woken_by(way, [make_event(key="a")] * 999, spool_dir) == 0
    assert woken_by(way, [make_event(key="a")] * 1000, spool_dir) == 1
