"""Everything that metering and its books do works through pgbouncer in transaction pooling mode.

Left out of the usual run, because it needs the Debian package: `apt-get install pgbouncer`, then
`pytest -m pgbouncer tests/faults`.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.faults.children import run
from tests.faults.pgbouncer import PgBouncer
from tests.faults.scene import Scene
from tests.servers import PostgresServer

pytestmark = pytest.mark.pgbouncer


@pytest.fixture(scope="module")
def bouncer(shared_postgres: PostgresServer) -> Iterator[PgBouncer]:
    """It fails, with how to install it, where there is none."""
    with PgBouncer(shared_postgres.folder) as bouncer:
        yield bouncer


def test_two_transactions_of_one_client_may_have_different_connections(scene: Scene, bouncer: PgBouncer) -> None:
    """Else the next test would show nothing."""
    url = scene.database.url_by(bouncer.folder)
    with psycopg.connect(url, autocommit=True) as one, psycopg.connect(url, autocommit=True) as other:
        [[first]] = one.execute("SELECT pg_backend_pid()").fetchall()
        with other.transaction():
            [[taken]] = other.execute("SELECT pg_backend_pid()").fetchall()
            [[second]] = one.execute("SELECT pg_backend_pid()").fetchall()
    assert taken == first != second


@pytest.mark.parametrize("connection_age", [0, None], ids=["a connection per batch", "one connection for all batches"])
def test_metering_folding_and_proving_the_books_need_no_session(
    scene: Scene, bouncer: PgBouncer, connection_age: int | None
) -> None:
    scene.django_database.update({"DISABLE_SERVER_SIDE_CURSORS": True, "CONN_MAX_AGE": connection_age})
    url = scene.database.url_by(bouncer.folder)
    metering = [
        scene.start_metering(f"m{number}", "--hectic", "--events", 300, "--threads", 3, url=url) for number in range(3)
    ]
    for child in metering:
        child.result()

    reckoning = scene.reckon(url=url)  # folds and verifies through the pool as well
    assert len(reckoning.notes.acknowledged) == 3 * 3 * 300
    assert reckoning.drained["folded"] >= 1
    counters = reckoning.drained["counters"]
    assert (counters["recorded"], counters["duplicates"]) == (2700, 0)
    assert (counters["dead_letters"], counters["flush_errors"]) == (0, 0)


def test_a_month_without_a_partition_is_made_through_the_pool(scene: Scene, bouncer: PgBouncer) -> None:
    url = scene.database.url_by(bouncer.folder)
    made = run("meter_old", environment=scene.environment(url=url), log=scene.folder / "log")
    assert made == {"partition": "costtrack_resourceusage_y2022m11", "rows": 5}


def test_prepared_statements_which_the_pool_forgets_are_no_fault_of_the_events(
    scene: Scene, bouncer: PgBouncer
) -> None:
    url = scene.database.url_by(bouncer.folder)
    scene.django_database.update({"CONN_MAX_AGE": None, "OPTIONS": {"prepare_threshold": 0}})
    metering = [
        scene.start_metering(f"m{number}", "--hectic", "--events", 300, "--end", "sleep", url=url)
        for number in range(8)  # more than twice as many as the pool has connections
    ]
    for number in range(8):
        scene.wait_until_metered(f"m{number}", 300)
    for child in metering:
        child.kill()
    scene.django_database.clear()  # the host has mended its settings
    reckoning = scene.reckon(url=url)
    assert len(reckoning.notes.acknowledged) == 2400
    assert reckoning.drained["counters"]["flush_errors"] >= 1
    assert reckoning.drained["dead_letters"] == 0
