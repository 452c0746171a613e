"""The database crashes under load and comes back: no metered call raises, none waits for it, and nothing is lost."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.faults.proxy import PostgresProxy
from tests.faults.scene import Scene
from tests.servers import PostgresServer


@contextmanager
def away(server: PostgresServer) -> Iterator[None]:
    """It crashes now, and starts again on the same data at the end."""
    server.crash()
    try:
        yield
    finally:
        server.start()


@pytest.mark.parametrize("outages", [1, pytest.param(12, marks=pytest.mark.slow)])
def test_metering_goes_on_while_the_database_is_away_and_all_of_it_lands_once(
    shared_postgres: PostgresServer, scene: Scene, chance: random.Random, outages: int
) -> None:
    busy = [scene.start_metering(f"m{number}") for number in range(2)]
    scene.wait_until_charged(1)
    metered_meanwhile = 0
    for _ in range(outages):
        time.sleep(chance.uniform(0.2, 1.5))
        with away(shared_postgres):
            before = len(scene.notes().acknowledged)
            time.sleep(chance.uniform(1, 2.5))
            metered_meanwhile += len(scene.notes().acknowledged) - before
        for worker in busy:
            assert worker.process.poll() is None, worker.said()
    charged = scene.database.charged().total()
    scene.wait_until_charged(charged + 1)  # the living processes themselves find it again
    for worker in busy:
        worker.kill()

    reckoning = scene.reckon()
    counters = reckoning.drained["counters"]
    assert metered_meanwhile >= 100 * outages
    assert counters["flush_errors"] >= 2
    assert counters["dead_letters"] == counters["overflows"] == 0
    assert reckoning.notes.longest_ms < 5000
    print(
        f"{outages} outages: {len(reckoning.notes.acknowledged)} events, {metered_meanwhile} of them while the "
        f"database was away; the slowest call took {reckoning.notes.longest_ms:.1f} ms; counters {counters}"
    )


def test_a_process_that_never_reaches_the_database_leaves_its_events_to_the_next(
    shared_postgres: PostgresServer, scene: Scene
) -> None:
    with away(shared_postgres):
        scene.start_metering("m", "--events", 200, "--pause", 0).result()
    assert scene.database.charged() == {}

    reckoning = scene.reckon()
    assert len(reckoning.notes.acknowledged) == 200
    assert reckoning.drained["adopted"]["recorded"] == 200


@pytest.mark.slow
def test_a_database_that_hangs_holds_up_neither_a_caller_nor_the_exit(scene: Scene) -> None:
    with PostgresProxy(scene.database.folder) as proxy:
        url = scene.database.url_by(proxy.folder)
        child = scene.start_metering("m", "--events", 1000, url=url)
        scene.wait_until_charged(1)
        with proxy.frozen():
            began = time.monotonic()
            child.result()
            seconds = time.monotonic() - began
        reckoning = scene.reckon(url=url)
    assert len(reckoning.notes.acknowledged) == 1000
    assert reckoning.notes.longest_ms < 1000
    assert seconds < 20  # 2 s of metering, and at the exit a few that it is given to book the rest
    assert reckoning.drained["adopted"]["recorded"] + reckoning.drained["adopted"]["duplicates"] >= 1
