"""What is said where it is not set up right."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks

MIDDLEWARE = "costtrack.integrations.prometheus.RequestMetricsMiddleware"
WITHOUT = """
import sys
sys.modules["prometheus_client"] = None  # as if it were not installed
import django, os
os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
django.setup()
try:
    import costtrack.integrations.prometheus
except ImportError as error:
    print(error)
"""


def test_without_the_library_it_says_what_to_install_and_the_app_does_without() -> None:
    told = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False)
    assert told.stdout == (
        "This integration of costtrack needs 'prometheus_client', which is not installed. "
        "Run: pip install 'costtrack[prometheus]'\n"
    ), told.stderr


@pytest.mark.parametrize("name", ["missing", "file"])
def test_a_directory_that_can_not_be_used_is_an_error(
    settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / name))
    assert run_checks(tags=["costtrack"]) == []  # no request is counted
    settings.MIDDLEWARE = [MIDDLEWARE, *settings.MIDDLEWARE]
    (error,) = run_checks(tags=["costtrack"])
    assert (error.id, error.msg) == (
        "costtrack.E042",
        f"PROMETHEUS_MULTIPROC_DIR is {str(tmp_path / name)!r}, which is no directory that this user may write.",
    )
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    assert run_checks(tags=["costtrack"]) == []
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR")
    assert run_checks(tags=["costtrack"]) == []
