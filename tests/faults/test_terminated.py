"""The flusher's connection is ended by the server: in mid-batch, while it is idle, or because there are too many."""

from __future__ import annotations

import hashlib
import random
import time

import psycopg

from tests.faults.children import wait_until
from tests.faults.scene import Scene


def flusher_pids(connection: psycopg.Connection, *, that_wait: bool = False) -> list[int]:
    """The server's processes of all connections but this one."""
    condition = "AND wait_event_type = 'Lock'" if that_wait else ""
    rows = connection.execute(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
        f"AND backend_type = 'client backend' {condition}"
    ).fetchall()
    return [row[0] for row in rows]


def terminate(connection: psycopg.Connection, pid: int) -> None:
    """End the connection as an administrator would."""
    connection.execute("SELECT pg_terminate_backend(%s)", [pid])


def test_a_flusher_ended_while_its_batch_waits_for_a_lock_books_the_batch_again(scene: Scene) -> None:
    with scene.database.connect() as direct, scene.database.connect() as holder:
        key_hash = hashlib.sha256(b"m-0-500").hexdigest()[:32]
        [[acme]] = direct.execute("SELECT id FROM costtrack_organization WHERE slug = 'acme'").fetchall()
        with holder.transaction(force_rollback=True):
            # Another transaction that may or may not take event number 500: whoever books it has to wait.
            holder.execute(
                "INSERT INTO costtrack_usagekey (organization_id, key_hash, fingerprint, usage_id, day) "
                "VALUES (%s, %s, %s, 0, '2026-01-01')",
                [acme, key_hash, key_hash],
            )
            child = scene.start_metering("m", "--events", 1000, "--pause", 0.001, "--end", "sleep")
            ended = set()
            for number in range(3):
                waiting = wait_until(lambda: flusher_pids(direct, that_wait=True), what=f"the batch waits, {number}")
                terminate(direct, waiting[0])
                wait_until(lambda pid=waiting[0]: pid not in flusher_pids(direct), what="the connection ended")
                ended.add(waiting[0])
            assert len(ended) == 3
            assert "m-0-500" not in scene.database.charged()
            scene.wait_until_metered("m", 1000)
        scene.wait_until_charged(1000)
        child.kill()

    reckoning = scene.reckon()
    assert len(reckoning.notes.acknowledged) == 1000
    assert reckoning.drained["counters"]["flush_errors"] == 3
    assert reckoning.drained["counters"]["dead_letters"] == 0


def test_connections_that_are_ended_at_any_moment_cost_no_event(scene: Scene, chance: random.Random) -> None:
    busy = [scene.start_metering(f"m{number}", "--hectic") for number in range(2)]
    scene.wait_until_charged(1)
    ended = 0
    with scene.database.connect() as direct:
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            time.sleep(chance.uniform(0, 0.05))
            if pids := flusher_pids(direct):
                terminate(direct, chance.choice(pids))
                ended += 1
    for worker in busy:
        assert worker.process.poll() is None, worker.said()
        worker.kill()

    reckoning = scene.reckon()
    assert ended >= 3
    assert len(reckoning.notes.acknowledged) >= 200
    assert reckoning.drained["counters"]["dead_letters"] == 0
    assert reckoning.drained["counters"]["flush_errors"] >= 1
    print(f"{ended} connections ended, {len(reckoning.notes.acknowledged)} events; {reckoning.drained['counters']}")


def test_an_idle_connection_that_was_dropped_is_made_anew(scene: Scene) -> None:
    scene.django_database["CONN_MAX_AGE"] = None
    child = scene.start_metering("m", "--events", 3, "--pause", 0.7)
    scene.wait_until_charged(1)
    with scene.database.connect() as direct:
        [pid] = wait_until(lambda: flusher_pids(direct), what="the flusher's connection")
        terminate(direct, pid)
    child.result()
    reckoning = scene.reckon()
    assert len(reckoning.notes.acknowledged) == 3


def test_where_no_connection_is_left_events_wait_for_one(scene: Scene) -> None:
    with scene.database.connect() as direct:
        role = f"host_{scene.database.name}"
        direct.execute(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 1 IN ROLE postgres")
        url = scene.database.url.replace("postgres@", f"{role}@")
        with psycopg.connect(url):  # the host's own, and the only one that it may have
            child = scene.start_metering("m", "--events", 100, "--pause", 0.001, "--end", "sleep", url=url)
            scene.wait_until_metered("m", 100)
            wait_until(lambda: "stays in the spool" in child.said(), what="the refusal in the log")
            assert "too many connections" in child.said()
            assert scene.database.charged() == {}
        scene.wait_until_charged(100)
        child.kill()
    reckoning = scene.reckon(url=url)
    assert len(reckoning.notes.acknowledged) == 100
    assert reckoning.drained["counters"]["flush_errors"] >= 1
