"""What a dead process left is adopted by exactly one other; what a living one writes by nobody."""

from __future__ import annotations

import json
import signal

import pytest

from tests.faults.children import wait_until
from tests.faults.proxy import PostgresProxy
from tests.faults.scene import Scene


@pytest.mark.parametrize("adopters", [3, pytest.param(8, marks=pytest.mark.slow)])
def test_of_several_adopters_at_once_one_takes_each_segment(scene: Scene, adopters: int) -> None:
    with PostgresProxy(scene.database.folder) as proxy:
        url = scene.database.url_by(proxy.folder)
        with proxy.refusing():
            for name in ("m1", "m2", "m3"):
                options = ["--hectic", "--events", 600, "--pause", 0, "--threads", 2, "--end", "sleep"]
                child = scene.start_metering(name, *options, url=url)
                scene.wait_until_metered(name, 1200)
                child.kill()
        left = len(list(scene.spool.glob("*.segment")))
        assert left >= 12  # small ones, so that there are many to fight for

        running = [scene.start("adopt", scene.folder, url=url) for _ in range(adopters)]
        wait_until(lambda: len(list(scene.folder.glob("ready-*"))) == adopters, what="all adopters are ready")
        (scene.folder / "go").touch()
        adopted = [json.loads(child.result()) for child in running]
    assert sum(one["segments"] for one in adopted) == left
    assert sum(one["recorded"] for one in adopted) == 3600
    assert sum(one["duplicates"] for one in adopted) == 0
    assert sum(one["segments"] > 0 for one in adopted) >= 2

    reckoning = scene.reckon()
    assert len(reckoning.notes.acknowledged) == 3600


def test_a_process_that_only_sleeps_keeps_its_events_and_books_them_itself(scene: Scene) -> None:
    child = scene.start_metering("m", "--events", 1000, "--pause", 0.001, "--hectic")
    scene.wait_until_metered("m", 200)
    child.pause()
    seen = len(scene.notes().acknowledged)
    adopter = scene.start("adopt", scene.folder)
    (scene.folder / "go").touch()
    assert json.loads(adopter.result())["segments"] == 0
    assert len(scene.notes().acknowledged) == seen
    child.send(signal.SIGCONT)
    child.result()

    reckoning = scene.reckon()
    assert len(reckoning.notes.acknowledged) == 1000
    assert reckoning.drained["adopted"]["segments"] == 0


@pytest.mark.parametrize("end", ["sigterm", "os._exit"])
def test_what_a_process_left_that_ended_without_a_word_is_booked_by_the_next(scene: Scene, end: str) -> None:
    child = scene.start_metering("m", "--events", 100, "--pause", 0, "--end", end)
    child.process.wait(60)
    assert child.process.returncode == (-signal.SIGTERM if end == "sigterm" else 0)
    reckoning = scene.reckon()
    assert len(reckoning.notes.acknowledged) == 100
