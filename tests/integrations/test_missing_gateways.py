"""The integrations of LiteLLM, LangChain, Google and Ollama without their libraries."""

from __future__ import annotations

import pytest

from tests.integrations.test_needed import run

LIBRARIES = ["litellm", "langchain_core", "google", "ollama"]


@pytest.mark.parametrize(
    ("integration", "install"),
    [
        ("litellm", "pip install 'costtrack[litellm]'"),
        ("langchain", "pip install langchain-core"),
        ("google_genai", "pip install google-genai"),
        ("ollama", "pip install ollama"),
    ],
)
def test_it_says_what_to_install(integration: str, install: str) -> None:
    ran = run(f"import costtrack.integrations.{integration}", blocked=LIBRARIES)
    assert ran.returncode == 1
    last = ran.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: This integration of costtrack needs ")
    assert last.endswith(f"which is not installed. Run: {install}")


@pytest.mark.parametrize("integration", ["langchain", "google_genai", "ollama"])
def test_it_may_be_imported_before_djangos_apps_are_ready(integration: str) -> None:
    ran = run(f"import costtrack.integrations.{integration}", blocked=[])
    assert (ran.returncode, ran.stderr) == (0, "")
