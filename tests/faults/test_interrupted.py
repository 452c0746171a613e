"""A signal handler that raises in the middle of a metered call, as a soft time limit of Celery does, costs no event."""

from __future__ import annotations

import json
import random

from tests.faults.scene import Scene


def test_calls_interrupted_at_any_moment_leave_the_spool_in_order(scene: Scene, chance: random.Random) -> None:
    child = scene.start("interrupted", scene.folder, chance.randrange(10**6))
    told = json.loads(child.result())
    reckoning = scene.reckon()
    assert told["interrupted"] >= 100
    assert told["is_flushed"]
    assert told["bytes_waiting"] == 0
    assert reckoning.unacknowledged <= told["interrupted"]
    assert reckoning.drained["dead_letters"] == 0
    print(f"{told}; {len(reckoning.notes.acknowledged)} events seen recorded, {reckoning.unacknowledged} more")
