"""The database has committed a batch, and the flusher never hears of it: every event is charged once all the same."""

from __future__ import annotations

from tests.faults.children import wait_until
from tests.faults.proxy import PostgresProxy
from tests.faults.scene import Scene


def test_a_batch_whose_commit_was_not_confirmed_is_found_booked_and_not_charged_again(scene: Scene) -> None:
    with PostgresProxy(scene.database.folder) as proxy:
        child = scene.start_metering("m", "--hectic", "--events", 1500, url=scene.database.url_by(proxy.folder))
        wait_until(lambda: proxy.commits >= 20, what="20 batches")
        for lost in range(1, 5):
            proxy.lose_commit_replies(1)
            wait_until(lambda lost=lost: proxy.lost_replies == lost, what=f"lost reply number {lost}")
        child.result()

    reckoning = scene.reckon()
    counters = reckoning.drained["counters"]
    assert len(reckoning.notes.acknowledged) == 1500
    assert reckoning.unacknowledged == 0
    # What was committed unheard is found by the next attempt, told as recorded, and charged no second time.
    assert (counters["recorded"], counters["duplicates"]) == (1500, 0)
    assert counters["flush_errors"] >= 1
    assert 1 <= counters["flush_errors"] <= 4
    assert counters["dead_letters"] == 0


def test_a_process_killed_between_the_commit_and_its_note_of_it_charges_nothing_twice(scene: Scene) -> None:
    with PostgresProxy(scene.database.folder) as proxy:
        url = scene.database.url_by(proxy.folder)
        child = scene.start_metering("m", "--events", 1000, "--end", "sleep", url=url)
        wait_until(lambda: scene.database.keys() > 0, what="a first batch")
        proxy.lose_commit_replies(1, keeps_open=True)  # the flusher waits for it for ever
        wait_until(lambda: proxy.lost_replies == 1, what="a batch whose commit nobody hears of")
        scene.wait_until_metered("m", 1000)
        child.kill()

    booked_before = scene.database.keys()
    reckoning = scene.reckon()
    assert len(reckoning.notes.acknowledged) == 1000
    assert 1 <= reckoning.drained["adopted"]["duplicates"] < booked_before
    assert reckoning.drained["adopted"]["recorded"] == 1000 - booked_before >= 1
