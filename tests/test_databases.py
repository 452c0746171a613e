"""The plugin that chooses the database of a run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

ROOT = Path(__file__).parent.parent
A_TEST = "tests/test_databases.py::test_a_test_with_the_database_mark_runs_on_any_database"


def run_pytest(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options],
        cwd=ROOT,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def is_marked(request: pytest.FixtureRequest) -> bool:
    return request.node.get_closest_marker("any_database") is not None


@pytest.mark.django_db
def test_a_test_with_the_database_mark_runs_on_any_database(request: pytest.FixtureRequest) -> None:
    assert is_marked(request)


def test_a_test_with_a_database_fixture_runs_on_any_database(request: pytest.FixtureRequest, db: None) -> None:
    assert is_marked(request)


def test_a_test_without_the_database_runs_once(request: pytest.FixtureRequest) -> None:
    assert not is_marked(request)


@pytest.mark.django_db
def test_the_run_is_on_the_database_that_its_header_names() -> None:
    choice = os.environ.get("COSTTRACK_TEST_DATABASE", "postgres18")
    if choice == "sqlite":
        assert connection.vendor == "sqlite"
    elif "costtrack-postgres-" in os.environ["DATABASE_URL"]:
        assert connection.vendor == "postgresql"
        assert f"postgres{connection.cursor().connection.info.server_version // 10_000}" == choice


def test_an_unknown_choice_ends_the_run_and_names_the_known_ones() -> None:
    run = run_pytest(A_TEST, COSTTRACK_TEST_DATABASE="oracle")
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert "'oracle'; expected one of: postgres18, postgres16, sqlite" in run.stderr


def test_a_server_that_does_not_start_fails_the_run(tmp_path: Path) -> None:
    (tmp_path / "broken_postgres.py").write_text(
        "from tests.servers import PostgresServer\nPostgresServer._command = lambda self: ['/bin/false']\n"
    )
    run = run_pytest(
        "-p", "broken_postgres", A_TEST, PYTHONPATH=f"{ROOT}:{tmp_path}", COSTTRACK_TEST_DATABASE="postgres18"
    )
    assert run.returncode == pytest.ExitCode.TESTS_FAILED
    assert "No database, no tests. postgres did not start" in run.stdout
