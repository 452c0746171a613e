"""Children of every kind book what they metered themselves, once; their parent's flusher is not theirs."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.exits.processes import Host, wait_until

POOLED = ("process", "pool-a", "pool-b", "executor")


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing_drain_their_spool_at_their_end(host: Host, method: str) -> None:
    assert host.run("tests.exits.forks", method) == 0
    host.check("parent", *POOLED)


def test_so_does_a_process_of_billiard(host: Host) -> None:
    assert host.run("tests.exits.forks", "billiard") == 0
    host.check("parent", "process")


@pytest.mark.parametrize("transport", ["spool", "inline"])
def test_streams_that_a_child_leaves_unfinished_are_booked(host: Host, transport: str) -> None:
    assert host.run("tests.exits.forks", "streams", COSTTRACK_TRANSPORT=transport) == 0
    assert host.booked() == ["dropped-0", "open-0", "parent-0", "parent-1", "parent-2"]


def test_a_child_that_vanishes_leaves_its_events_to_another_process(host: Host) -> None:
    assert host.run("tests.exits.forks", "os.fork") == 0
    assert host.booked() == [f"{prefix}-{number}" for prefix in ("exits", "parent") for number in range(3)]
    assert host.unbooked_bytes() > 0
    host.start("tests.exits.adopter")
    wait_until(lambda: len(host.booked()) == 10, what="ten events in the ledger", host=host)
    wait_until(lambda: host.unbooked_bytes() == 0, what="the segments' ends", host=host)
    assert host.counters()["duplicates"] == 0


def test_a_child_that_c_code_forked_has_a_spool_of_its_own(host: Host) -> None:
    assert host.run("tests.exits.forks", "c") == 0
    host.check("parent", "child", "parent-again")


def test_a_child_forked_while_the_flusher_reads_the_rates_books_all_the_same(host: Host) -> None:
    assert host.run("tests.exits.forks", "rates") == 0
    host.check("parent", "child")


def test_fifty_forks_while_four_threads_meter_hang_lose_and_double_nothing(host: Host) -> None:
    assert host.run("tests.exits.forks", "threads", 50) == 0, host.said()
    host.start("tests.exits.adopter")  # on a busy machine not all is booked within the time of the exit
    wait_until(lambda: host.unbooked_bytes() == 0, what="the end of all segments", host=host)
    of_children = [f"child{number}-{event}" for number in range(50) for event in range(3)]
    of_threads = [f"thread{thread}-{number}" for thread in range(4) for number in range(50 * 100 // 4)]
    assert Counter(host.booked()) == Counter([*of_children, *of_threads, "parent-0"]), host.said()
