"""Forks under load: every process books what it metered itself, no lock is kept, and nothing is booked twice."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
import pytest

from tests.faults.children import Child, wait_until
from tests.faults.proxy import PostgresProxy
from tests.faults.scene import Scene

OF_A_GRANDCHILD = 20 + 5
"""Events."""


@pytest.mark.parametrize("is_booked", [True, False], ids=["booked", "at once"])
@pytest.mark.parametrize("forks", [8, pytest.param(150, marks=pytest.mark.slow)])
def test_parent_children_and_grandchildren_lose_nothing_while_threads_meter_and_the_flusher_books(
    scene: Scene, forks: int, is_booked: bool
) -> None:
    ends = ["--booked"] if is_booked else []
    scene.start("forking", scene.folder, "--forks", forks, *ends).result(60 + 4 * forks)
    reckoning = scene.reckon()
    of_children = [key for key in reckoning.notes.acknowledged if key.startswith("c")]
    assert len(of_children) == forks * (20 + 20 + 5 + 5)
    assert len(reckoning.notes.acknowledged) - len(of_children) >= 100
    assert reckoning.unacknowledged == 0
    # A grandchild that ends at once may do so between the commit of a batch and the note of how far it has come: who
    # adopts its segment then meets those keys again. Nothing else is ever read twice.
    most = 0 if is_booked else forks * OF_A_GRANDCHILD
    assert reckoning.drained["counters"]["duplicates"] <= most
    print(f"{forks} forks: {len(reckoning.notes.acknowledged)} events; counters {reckoning.drained['counters']}")


def killed_with_a_child_that_lives_on(parent: Child) -> int:
    """SIGKILL the parent, once it has forked; the child's pid, which it prints."""
    assert parent.process.stdout is not None
    child_pid = int(parent.process.stdout.readline())
    parent.kill()
    return child_pid


@contextmanager
def that_ends(scene: Scene, child_pid: int) -> Iterator[None]:
    """See to it that a process that is nobody's child any more ends with the test, and not before."""
    try:
        yield
        os.kill(child_pid, 0)
    finally:
        (scene.folder / "done").touch()
        with suppress(ProcessLookupError):
            os.kill(child_pid, signal.SIGKILL)


def test_what_a_killed_parent_metered_is_adopted_while_its_child_lives_on(scene: Scene) -> None:
    with PostgresProxy(scene.database.folder) as proxy:
        url = scene.database.url_by(proxy.folder)
        with proxy.refusing():
            parent = scene.start("forking", scene.folder, "--outlive", url=url)
            scene.wait_until_metered("t0", 200)
            (scene.folder / "fork").touch()
            child_pid = killed_with_a_child_that_lives_on(parent)
        with that_ends(scene, child_pid):
            reckoning = scene.reckon(url=url)
            assert reckoning.drained["adopted"]["segments"] == 1
            assert len(reckoning.notes.acknowledged) >= 200


def test_what_a_killed_parent_was_adopting_is_adopted_while_its_child_lives_on(scene: Scene) -> None:
    dead = scene.start_metering("m", "--events", 500, "--end", "sleep")
    scene.wait_until_charged(1)  # from now on the segment says whose database it is for
    dead.kill()
    parent = scene.start("forking", scene.folder, "--adopt")
    with that_ends(scene, killed_with_a_child_that_lives_on(parent)):
        reckoning = scene.reckon()
        assert reckoning.drained["adopted"]["segments"] == 1


def test_what_a_killed_parent_was_just_booking_is_free_although_its_child_lives_on(scene: Scene) -> None:
    with scene.database.connect() as direct:
        with scene.database.connect() as holder, holder.transaction():
            holder.execute("LOCK TABLE costtrack_usagekey")  # so that the flusher is in mid-transaction for sure
            parent = scene.start("forking", scene.folder, "--outlive")
            scene.wait_until_metered("t0", 200)
            wait_until(lambda: transactions(direct) == 2, what="the flusher's batch waits")
            (scene.folder / "fork").touch()
            child_pid = killed_with_a_child_that_lives_on(parent)
        with that_ends(scene, child_pid):
            wait_until(
                lambda: transactions(direct) == 0, what="the dead parent's transaction is over", timeout_seconds=20
            )
            scene.reckon()


def transactions(connection: psycopg.Connection) -> int:
    """How many are open in this database, but this one."""
    [[count]] = connection.execute(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid() "
        "AND backend_type = 'client backend'"
    ).fetchall()
    return int(count)
