"""A spool that can take no more: a full disk, its own bound, a directory that is none. Metering goes on, loudly."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.faults.proxy import PostgresProxy
from tests.faults.scene import Scene

ALOUD = "Usage can not be spooled, and is written to the database at once"


def test_on_a_full_disk_each_event_is_written_at_once(scene: Scene) -> None:
    """No file may grow past 40 kB: the write that reaches that is cut off in its middle, the next ones fail."""
    child = scene.start_metering("m", "--events", 200, "--pause", 0, "--largest-file", 40_000)
    child.result()
    reckoning = scene.reckon()
    assert len(reckoning.notes.acknowledged) == 200
    counters = reckoning.drained["counters"]
    assert 50 <= counters["overflows"] <= 190
    assert (counters["recorded"], counters["dead_letters"]) == (200 - counters["overflows"], 0)
    assert ALOUD in child.said()


def test_at_its_bound_the_spool_takes_no_more_and_each_event_is_written_at_once(scene: Scene) -> None:
    scene.costtrack["SPOOL_MAX_BYTES"] = 40_000
    child = scene.start_metering("m", "--events", 100, "--pause", 0, "--threads", 2)
    child.result()
    reckoning = scene.reckon()
    assert len(reckoning.notes.acknowledged) == 200
    counters = reckoning.drained["counters"]
    assert 50 <= counters["overflows"] <= 190
    assert ALOUD in child.said()
    assert "SPOOL_MAX_BYTES" in child.said()


def test_where_the_directory_can_not_be_each_event_is_written_at_once(scene: Scene) -> None:
    (scene.folder / "file").write_text("a file, not a directory")
    scene.costtrack["SPOOL_DIR"] = str(scene.folder / "file" / "spool")
    child = scene.start_metering("m", "--events", 50, "--pause", 0)
    child.result()
    assert ALOUD in child.said()
    assert "The spool can not be used" in child.said()
    scene.costtrack.clear()  # to drain, it takes one that there is
    reckoning = scene.reckon()
    assert len(reckoning.notes.acknowledged) == 50


def test_events_that_neither_the_spool_nor_the_database_takes_are_in_the_log_whole(scene: Scene) -> None:
    scene.costtrack["SPOOL_MAX_BYTES"] = 60_000
    with PostgresProxy(scene.database.folder) as proxy:
        url = scene.database.url_by(proxy.folder)
        with proxy.refusing():
            child = scene.start_metering("m", "--events", 300, "--pause", 0, "--end", "sleep", url=url)
            scene.wait_until_metered("m", 300)
        child.kill()
        scene.costtrack.clear()
        logged = logged_keys(child.log)
        assert scene.notes().raised == {}
        assert 100 <= len(logged) <= 290
        reckoning = scene.reckon(url=url, also_safe=set(logged))
    assert len(logged) == len(set(logged))
    assert len(reckoning.notes.acknowledged) == 300


def logged_keys(log: Path) -> list[str]:
    """The keys of the events that were logged as lost, each a whole line of JSON that could be imported."""
    lines = [line.partition(" Event: ")[2] for line in log.read_text().splitlines() if " Event: " in line]
    events = [json.loads(line) for line in lines]
    assert all(event["tokens"]["input_tokens"] == 1000 for event in events)
    return [event["idempotency_key"] for event in events]


def test_a_directory_that_somebody_removes_costs_a_living_process_no_event(scene: Scene) -> None:
    child = scene.start_metering("m", "--events", 1000, "--pause", 0.001)
    scene.wait_until_metered("m", 300)
    shutil.rmtree(scene.spool)
    child.result()
    reckoning = scene.reckon()
    assert len(reckoning.notes.acknowledged) == 1000
