"""Fixtures of the whole suite: the servers, and nothing left over from the test before."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest

from tests.databases import postgres_key
from tests.servers import RedisServer, ServerFailed


def pytest_collection_finish() -> None:
    """What is there by now stays to the end: the garbage collector, which hundreds of tests call, leaves it alone.

    To look through it takes most of a second, with all libraries loaded.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, pytestconfig: pytest.Config
) -> None:
    """Start PostgreSQL when the first test needs it, if this run brings its own."""
    server = pytestconfig.stash.get(postgres_key, None)
    if server:
        try:
            server.start()
        except ServerFailed as failure:
            pytest.exit(f"No database, no tests. {failure}", returncode=1)


@pytest.fixture(scope="session", autouse=True)
def quick_flushes() -> Iterator[None]:
    """Empty only what has rows, between tests with transactions of their own."""
    from django.db.backends.postgresql.operations import DatabaseOperations

    from tests.flushing import sql_flush

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "sql_flush", sql_flush)
        yield


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The URL of a Redis: the one of REDIS_URL, else one started from a wheel."""
    if url := os.environ.get("REDIS_URL"):
        yield url
    else:
        with RedisServer() as server:
            yield server.url


@pytest.fixture(autouse=True)
def no_rates_in_memory() -> Iterator[None]:
    """Forget the rates that the process keeps, before each test and after it."""
    from costtrack.pricing.ratebook import forget_rates

    forget_rates()
    yield
    forget_rates()


@pytest.fixture(autouse=True)
def nothing_cached() -> None:
    """Forget what another test has left in the cache: its rows had the same ids."""
    from django.core.cache import cache

    cache.clear()


@pytest.fixture(autouse=True)
def nothing_lost_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count lost events from 0 in each test: one that loses some on purpose makes no other test's health bad."""
    monkeypatch.setattr("costtrack.metering.lost._failures", 0)
