"""No client library is needed to install costtrack; an integration without its library says what to install."""

from __future__ import annotations

import subprocess
import sys

import pytest

from costtrack.integrations.needed import needed

BLOCKED = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocked())
"""
LIBRARIES = ["openai", "anthropic", "boto3", "botocore", "httpx", "httpx2", "requests", "litellm", "langchain_core"]


def run(code: str, *, blocked: list[str]) -> subprocess.CompletedProcess[str]:
    """`code` in a process of its own, where these libraries are not to be found."""
    whole = BLOCKED.format(blocked=blocked) + code
    return subprocess.run([sys.executable, "-c", whole], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("integration", "install"), [("openai", "openai"), ("anthropic", "anthropic"), ("bedrock", "boto3")]
)
def test_an_integration_without_its_library_says_what_to_install(integration: str, install: str) -> None:
    ran = run(f"import costtrack.integrations.{integration}", blocked=LIBRARIES)
    last = ran.stderr.strip().splitlines()[-1]
    assert ran.returncode == 1
    assert last.startswith("ImportError: This integration of costtrack needs ")
    assert last.endswith(f"which is not installed. Run: pip install {install}")


def test_costtrack_and_its_tools_are_imported_without_any_client_library() -> None:
    code = "import costtrack.integrations, costtrack.integrations.tools; from costtrack import meter, track_api_call"
    ran = run(code, blocked=LIBRARIES)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_what_is_missing_inside_a_library_that_is_there_is_told_as_it_is() -> None:
    ran = run("import costtrack.integrations.openai", blocked=["pydantic"])
    assert ran.returncode == 1
    assert ran.stderr.strip().splitlines()[-1] == "ModuleNotFoundError: No module named 'pydantic'"


def test_a_submodule_of_a_library_that_is_missing_is_the_librarys() -> None:
    with pytest.raises(
        ImportError, match=r"needs 'nosuchlibrary\.client', which is not installed\. Run: pip install x"
    ):
        needed("nosuchlibrary.client", install="pip install x")
