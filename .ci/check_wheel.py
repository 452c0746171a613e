"""Check what a wheel of costtrack holds: the whole package, and nothing beside it."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def problems_of(wheel: str) -> list[str]:
    """Return what is missing in the wheel, and what does not belong there."""
    held = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        str(file.relative_to(ROOT))
        for file in (ROOT / "costtrack").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    strange = {name for name in held - wanted if ".dist-info/" not in name}
    return [f"missing: {name}" for name in sorted(wanted - held)] + [f"strange: {name}" for name in sorted(strange)]


if __name__ == "__main__":
    problems = problems_of(sys.argv[1])
    sys.exit("\n".join(problems) if problems else 0)
