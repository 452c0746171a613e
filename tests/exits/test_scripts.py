"""Plain scripts: whatever ends them, what was metered just before is in the ledger after it, or soon."""

from __future__ import annotations

import pytest

from tests.exits.processes import Host, wait_until


@pytest.mark.parametrize(("way", "code"), [("end", 0), ("sys.exit", 3), ("exception", 1), ("SIGINT", -2)])
def test_a_script_that_python_ends_has_booked_all(host: Host, way: str, code: int) -> None:
    assert host.run("tests.exits.scripts", way, "s") == code
    host.check("s")


def test_what_is_metered_while_python_exits_is_booked(host: Host) -> None:
    assert host.run("tests.exits.scripts", "atexit", "s") == 0
    host.check("s")


@pytest.mark.parametrize(("way", "count"), [("open-stream", 1), ("open-stream-after-events", 4), ("dropped-stream", 1)])
def test_a_stream_that_nobody_finished_is_booked(host: Host, way: str, count: int) -> None:
    assert host.run("tests.exits.scripts", way, "s") == 0
    host.check("s", count=count)


def test_a_slow_subscriber_hears_of_every_event_before_the_process_is_gone(host: Host) -> None:
    assert host.run("tests.exits.scripts", "slow-subscriber", "s") == 0
    assert sorted(host.said().splitlines()) == ["told s-0", "told s-1", "told s-2"]
    host.check("s")


def test_what_was_metered_by_a_process_that_vanished_is_booked_by_another_while_that_lives(host: Host) -> None:
    codes = {"os._exit": 0, "SIGKILL": -9, "SIGTERM": -15}
    vanished = {way: host.start("tests.exits.scripts", way, way) for way in codes}
    assert {way: host.end_of(child) for way, child in vanished.items()} == codes
    assert host.booked() == []
    assert len(list(host.spool_dir.glob("*.segment"))) == 3
    living = host.start("tests.exits.adopter")
    wait_until(lambda: len(host.booked()) == 10, what="ten events in the ledger", host=host)
    wait_until(lambda: host.unbooked_bytes() == 0, what="the segments' ends", host=host)
    assert living.poll() is None
    booked = [f"{way}-{number}" for way in codes for number in range(3)]
    assert host.booked() == sorted([*booked, "living-0"])
    assert host.counters()["duplicates"] == 0
