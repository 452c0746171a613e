"""The layers, where a running process can show them; import-linter checks the rest from pyproject.toml."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def modules_of(package: str) -> list[str]:
    folder = ROOT / "costtrack" / package
    return [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in sorted(folder.rglob("*.py"))]


def test_domain_and_extraction_load_without_django() -> None:
    modules = [*modules_of("domain"), *modules_of("extraction")]
    assert "costtrack.domain.tokens" in modules
    told = (
        "import importlib, sys\n"
        f"for module in {modules!r}:\n"
        "    importlib.import_module(module)\n"
        "print(*[name for name in sys.modules if name.split('.')[0] in {'django', 'rest_framework', 'project'}])\n"
    )
    result = subprocess.run([sys.executable, "-c", told], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout.strip()) == (0, ""), result.stderr
