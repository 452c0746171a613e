"""Metering processes that are killed with SIGKILL at random moments lose nothing, and nothing is charged twice."""

from __future__ import annotations

import random
import time

import pytest

from tests.faults.children import Child
from tests.faults.scene import Scene


class Worker:
    """One metering process after the other: when one is killed, the next takes its place."""

    def __init__(self, scene: Scene, name: str) -> None:
        self._scene = scene
        self._name = name
        self._generation = 0
        self.start()

    def start(self) -> None:
        self._generation += 1
        self.name = f"{self._name}.{self._generation}"
        # Every other one is always in the middle of something: a batch, an adoption, the emptying of a segment.
        options = ["--hectic"] if self._generation % 2 else []
        self.child: Child = self._scene.start_metering(self.name, *options)

    def kill(self) -> None:
        self.child.kill()
        self._scene.children.remove(self.child)


@pytest.mark.parametrize("kills", [12, pytest.param(200, marks=pytest.mark.slow)])
def test_whatever_a_caller_saw_recorded_is_in_the_ledger_once_however_often_processes_are_killed(
    scene: Scene, chance: random.Random, kills: int
) -> None:
    workers = [Worker(scene, f"w{number}") for number in range(4)]
    for number in range(kills):
        victim = chance.choice(workers)
        if number % 8:  # else it may still be starting
            scene.wait_until_metered(victim.name)
        time.sleep(chance.uniform(0, 0.8))  # the flusher's rounds are a second apart
        victim.kill()
        victim.start()
    for worker in workers:
        scene.wait_until_metered(worker.name)
        worker.kill()

    reckoning = scene.reckon()
    recorded = len(reckoning.notes.acknowledged)
    assert reckoning.unacknowledged <= kills + 4
    # A line that was cut off in its middle is kept, and belongs to nobody who saw it recorded.
    assert reckoning.drained["dead_letters"] == reckoning.drained["counters"]["damaged_lines"] <= kills + 4
    assert recorded >= 10 * kills
    print(
        f"{kills} + 4 kills: {recorded} events seen recorded, each in the ledger once; "
        f"{reckoning.unacknowledged} more, whose callers were killed; counters {reckoning.drained['counters']}"
    )
