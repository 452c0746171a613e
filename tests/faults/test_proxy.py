"""The proxy of the fault tests does what it says: else those that use it could not fail."""

from __future__ import annotations

import threading
import time

import psycopg
import pytest

from tests.faults.databases import LedgerDatabase
from tests.faults.proxy import PostgresProxy


def test_what_is_committed_stays_though_the_client_never_hears_of_it(database: LedgerDatabase) -> None:
    with PostgresProxy(database.folder) as proxy, database.connect() as direct:
        direct.execute("CREATE TABLE seen (number int)")
        proxy.lose_commit_replies(1)
        with pytest.raises(psycopg.OperationalError), psycopg.connect(database.url_by(proxy.folder)) as connection:
            connection.execute("INSERT INTO seen VALUES (1)")
        with psycopg.connect(database.url_by(proxy.folder)) as connection:
            connection.execute("INSERT INTO seen VALUES (2)")
        assert direct.execute("SELECT number FROM seen ORDER BY 1").fetchall() == [(1,), (2,)]
        assert (proxy.lost_replies, proxy.commits) == (1, 2)


def test_a_cut_breaks_connections_and_lets_new_ones_through(database: LedgerDatabase) -> None:
    with PostgresProxy(database.folder) as proxy:
        connection = psycopg.connect(database.url_by(proxy.folder))
        connection.execute("SELECT 1")
        proxy.cut()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
        connection.close()
        with psycopg.connect(database.url_by(proxy.folder)) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_while_it_is_frozen_nothing_passes(database: LedgerDatabase) -> None:
    with (
        PostgresProxy(database.folder) as proxy,
        psycopg.connect(database.url_by(proxy.folder)) as connection,
    ):
        with proxy.frozen():
            time.sleep(0.05)
            asked = threading.Thread(target=connection.execute, args=("SELECT 1",))
            asked.start()
            asked.join(0.3)
            assert asked.is_alive()
        asked.join(10)
        assert not asked.is_alive()
