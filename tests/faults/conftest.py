"""Fixtures of the fault tests: a PostgreSQL of their own, a database and a spool per test, and no process left over."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from costtrack.metering import spool
from tests.faults.budget_scene import BudgetScene
from tests.faults.children import Child, all_killed
from tests.faults.databases import LedgerDatabase, new_database, prepare_template
from tests.faults.scene import Scene
from tests.servers import PostgresServer


@pytest.fixture(scope="session")
def shared_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A PostgreSQL for the fault tests alone, whatever database the suite runs on; who stops it starts it again."""
    with PostgresServer(18) as server:
        prepare_template(server, tmp_path_factory.mktemp("template") / "log")
        yield server


@pytest.fixture
def database(shared_postgres: PostgresServer) -> LedgerDatabase:
    """A fresh, migrated database."""
    return new_database(shared_postgres)


@pytest.fixture
def children() -> Iterator[list[Child]]:
    """All processes that a scene of this test has started; killed at its end."""
    with all_killed([]) as children:
        yield children


@pytest.fixture
def scene(database: LedgerDatabase, children: list[Child], tmp_path: Path) -> Scene:
    """Metering processes on a fresh database, with a spool of their own."""
    return Scene(database=database, folder=tmp_path, children=children)


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> Any:
    """Random numbers; FAULTS_SEED repeats those of an earlier run."""
    seed = int(os.environ.get("FAULTS_SEED") or random.SystemRandom().randrange(10**6))
    print(f"{request.node.nodeid}: FAULTS_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def spool_dir(tmp_path: Path, settings: Any) -> Iterator[Path]:
    """A spool of this very process, for tests on the suite's own database; stopped at the end."""
    directory = tmp_path / "spool"
    settings.COSTTRACK = {"TRANSPORT": "spool", "SPOOL_DIR": directory}
    yield directory
    spool.stop(5.0)


@pytest.fixture
def budgets(database: LedgerDatabase, children: list[Child], tmp_path: Path) -> BudgetScene:
    """Processes that reserve from budgets, on a fresh database, with a spool of their own."""
    return BudgetScene(database=database, folder=tmp_path, children=children)
