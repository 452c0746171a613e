"""SQLite, which has one writer: while another process writes, metering goes on, and all of it lands once."""

from __future__ import annotations

import json
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.children import Child
from tests.faults.databases import SQLiteDatabase, new_sqlite
from tests.faults.scene import Scene


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file to copy."""
    folder = tmp_path_factory.mktemp("sqlite")
    return new_sqlite(folder / "db.sqlite3", folder / "log").path


@pytest.fixture
def sqlite_scene(migrated: Path, children: list[Child], tmp_path: Path) -> Scene:
    """Metering processes on a fresh file of their own, whatever database the suite runs on."""
    path = tmp_path / "db.sqlite3"
    path.write_bytes(migrated.read_bytes())
    return Scene(database=SQLiteDatabase(path=path), folder=tmp_path, children=children)


def hold_the_lock(scene: Scene, *, times: int, seconds: float) -> threading.Thread:
    """Another writer, which holds the lock for that long, again and again, with hardly a pause."""

    def hold() -> None:
        with closing(scene.database.connect()) as connection:
            for _ in range(times):
                connection.execute("BEGIN IMMEDIATE")
                time.sleep(seconds)
                connection.execute("COMMIT")
                time.sleep(0.05)

    thread = threading.Thread(target=hold)
    thread.start()
    return thread


def test_another_writer_that_keeps_the_lock_delays_the_ledger_and_no_caller(sqlite_scene: Scene) -> None:
    scene = sqlite_scene
    scene.django_database["OPTIONS"] = {"transaction_mode": "IMMEDIATE", "timeout": 0.5}  # the flusher gives up first
    names = [f"m{number}" for number in range(2)]
    metering = [scene.start_metering(name, "--events", 1000, "--pause", 0.001) for name in names]
    for name in names:
        scene.wait_until_metered(name)
    other = hold_the_lock(scene, times=2, seconds=2)
    for child in metering:
        child.result()
    other.join()
    reckoning = scene.reckon()
    assert len(reckoning.notes.acknowledged) == 2000
    assert reckoning.notes.longest_ms < 1900  # nobody waited for the lock
    counters = reckoning.drained["counters"]
    assert counters["flush_errors"] >= 1
    assert (counters["recorded"] + counters["duplicates"], counters["dead_letters"]) == (2000, 0)
    assert counters["overflows"] == 0


def test_deferred_transactions_which_fail_at_once_lose_nothing_either(sqlite_scene: Scene) -> None:
    """A host that did not set transaction_mode: SQLite refuses to let a reader become a writer, without any wait."""
    scene = sqlite_scene
    scene.django_database["OPTIONS"] = {"timeout": 5}
    names = [f"m{number}" for number in range(3)]
    metering = [scene.start_metering(name, "--hectic", "--events", 400, "--pause", 0.001) for name in names]
    for child in metering:
        child.result()
    reckoning = scene.reckon()
    assert len(reckoning.notes.acknowledged) == 1200
    assert reckoning.drained["counters"]["dead_letters"] == 0


def test_metering_inside_the_callers_own_transaction_does_not_wait_for_it(sqlite_scene: Scene) -> None:
    told = json.loads(sqlite_scene.start("in_transaction", sqlite_scene.folder).result())
    reckoning = sqlite_scene.reckon()
    assert told["seconds_in_transaction"] >= 3  # three rounds of the flusher, which had to wait
    assert told["flush_refused"]
    assert reckoning.notes.longest_ms < 1500
    assert len(reckoning.notes.acknowledged) == 500
    assert reckoning.drained["counters"]["dead_letters"] == 0


@pytest.mark.parametrize("kills", [3, pytest.param(60, marks=pytest.mark.slow)])
def test_killed_writers_lose_nothing(sqlite_scene: Scene, kills: int) -> None:
    scene = sqlite_scene
    for number in range(kills):
        child = scene.start_metering(f"m{number}", "--hectic")
        scene.wait_until_metered(f"m{number}", 150 + 37 * (number % 10))
        child.kill()
    reckoning = scene.reckon()
    assert len(reckoning.notes.acknowledged) >= kills * 150
    assert reckoning.unacknowledged <= kills
