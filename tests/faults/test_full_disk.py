"""A spool that can take no more: a full disk, its own bound, a directory that is none. Metering goes on, loudly."""

from __future__ import annotations

import shutil

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


def test_a_directory_that_somebody_removes_costs_a_living_process_no_event(scene: Scene) -> None:
    child = scene.start_metering("m", "--events", 1000, "--pause", 0.001)
    scene.wait_until_metered("m", 300)
    shutil.rmtree(scene.spool)
    child.result()
    reckoning = scene.reckon()
    assert len(reckoning.notes.acknowledged) == 1000
