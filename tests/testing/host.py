"""A host project in a folder of its own, whose tests are run by a pytest of their own, with the installed plugins."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

NOT_INHERITED = re.compile(r"DATABASE_URL|DJANGO_|COSTTRACK_|PYTEST_|PYTHONPATH")
SETTINGS = """
from pathlib import Path

import dj_database_url

BASE_DIR = Path(__file__).parent
SECRET_KEY = "only for this test"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "costtrack"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": dj_database_url.parse(URL, conn_max_age=None)}
if "sqlite" in URL:
    DATABASES["default"]["OPTIONS"] = {"transaction_mode": "IMMEDIATE", "timeout": 20}
DATABASES["default"]["TEST"] = {"NAME": TEST_NAME}
"""


class Host:
    """The project. Write its files, then run its tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        self.write("pytest.ini", "[pytest]\nfilterwarnings = error\n")

    def write(self, name: str, text: str) -> None:
        """Make one file; the text may be indented."""
        (self.folder / name).write_text(dedent(text))

    def use_django(self, *, url: str = "", test_name: str = "", more: str = "") -> None:
        """Have settings with costtrack, on SQLite unless `url` names a database, with `more` at their end."""
        url = url or f"sqlite:///{self.folder / 'db.sqlite3'}"
        test_name = test_name or str(self.folder / "test-db.sqlite3")
        self.write("settings.py", f"URL = {url!r}\nTEST_NAME = {test_name!r}\n{SETTINGS}{more}\n")
        self.write("pytest.ini", "[pytest]\nfilterwarnings = error\nDJANGO_SETTINGS_MODULE = settings\n")

    def run(self, *options: str) -> tuple[str, str]:
        """Run its tests in the order of their file; the last line, such as `2 passed`, and all that pytest said."""
        inherited = {name: value for name, value in os.environ.items() if not NOT_INHERITED.match(name)}
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:randomly", *options],
            cwd=self.folder,
            env={**inherited, "TMPDIR": str(self.temporary), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        said = done.stdout + done.stderr
        outcome = re.search(r"=+ (.+) in [\d.]+s", said.splitlines()[-1])
        return outcome[1] if outcome else "no outcome", said
