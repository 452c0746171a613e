"""The pytest plugin that chooses the database of a run, before Django reads its settings.

`DATABASE_URL` names one that is there already. Else `COSTTRACK_TEST_DATABASE` chooses: `postgres18` (the default),
`postgres16`, each started from a wheel when the first test needs it, or `sqlite`, a file in a temporary folder.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.servers import PostgresServer

POSTGRES_MAJORS = {"postgres18": 18, "postgres16": 16}
USES_THE_DATABASE = {
    "db",
    "transactional_db",
    "django_db_reset_sequences",
    "django_db_serialized_rollback",
    "django_db_setup",
    "live_server",
}

postgres_key = pytest.StashKey[PostgresServer]()
described_key = pytest.StashKey[str]()


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    """Set DATABASE_URL; a wrapper, so that it comes before pytest-django loads the settings."""
    url = os.environ.get("DATABASE_URL")
    choice = os.environ.get("COSTTRACK_TEST_DATABASE", "postgres18")
    if url:
        early_config.stash[described_key] = f"the one of DATABASE_URL ({url.split(':', 1)[0]})"
    elif choice == "sqlite":
        folder = Path(tempfile.mkdtemp(prefix="costtrack-sqlite-"))
        early_config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
        early_config.stash[described_key] = "SQLite"
        os.environ["DATABASE_URL"] = f"sqlite:///{folder / 'db.sqlite3'}"
    elif choice in POSTGRES_MAJORS:
        server = PostgresServer(POSTGRES_MAJORS[choice])
        early_config.stash[postgres_key] = server
        early_config.add_cleanup(server.stop)
        early_config.stash[described_key] = f"PostgreSQL {server.version}, from a wheel"
        os.environ["DATABASE_URL"] = server.url
    else:
        known = ", ".join([*POSTGRES_MAJORS, "sqlite"])
        raise pytest.UsageError(f"COSTTRACK_TEST_DATABASE is {choice!r}; expected one of: {known}")
    yield


def pytest_report_header(config: pytest.Config) -> str:
    """Say on which database the suite runs."""
    return f"database: {config.stash[described_key]}"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what touches the database, before `-m` selects."""
    for item in items:
        if item.get_closest_marker("django_db") or USES_THE_DATABASE & set(getattr(item, "fixturenames", ())):
            item.add_marker("any_database")
