"""The example site with the demo's data, served on a port of its own, for a browser to look at."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers import dies_with_its_parent

ROOT = Path(__file__).resolve().parent.parent.parent
USER, PASSWORD = "lead", "a long password 1"
"""A superuser of the site."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """A site that is running."""

    url: str
    environment: dict[str, str]

    def manage(self, *arguments: str) -> str:
        """What a command prints."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command, check=False, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=300
        )
        if done.returncode:
            raise AssertionError(f"{' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def key(self, *arguments: str) -> str:
        """The token of a new key."""
        token: str = json.loads(self.manage("costtrack_key", "create", *arguments, "--json"))["token"]
        return token

    def post(self, path: str, body: Any, *, token: str) -> Any:
        """What the REST API answers."""
        request = urllib.request.Request(
            f"{self.url}/api/costs/{path}",
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


@contextmanager
def demo_site(folder: Path, *, database: str = "", days: int = 45, is_async: bool = False) -> Iterator[Site]:
    """The site while it runs, by gunicorn or uvicorn; of `database`, a URL, else of an SQLite file in the folder."""
    environment = {
        **os.environ,
        "DATABASE_URL": database or f"sqlite:///{folder / 'site.sqlite3'}",
        "DJANGO_SETTINGS_MODULE": "tests.browser.settings",
        "DJANGO_ALLOWED_HOSTS": "127.0.0.1",
        "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
        "DATABASE_CONN_MAX_AGE": "60",
        "PYTHONPATH": str(ROOT),
    }
    port = _free_port()
    site = Site(url=f"http://127.0.0.1:{port}", environment=environment)
    site.manage("costtrack_demo", "--days", str(days))
    site.manage("createsuperuser", "--noinput", "--username", USER, "--email", "lead@example.org")
    log, place = folder / "log", ("--host", "127.0.0.1", "--port", str(port))
    by_gunicorn = ("gunicorn", "tests.browser.wsgi", "--bind", f"127.0.0.1:{port}", "--threads", "4")
    by_uvicorn = ("uvicorn", "tests.browser.asgi:application", *place, "--timeout-graceful-shutdown", "1")
    with log.open("ab") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", *(by_uvicorn if is_async else by_gunicorn)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=dies_with_its_parent(signal.SIGTERM),  # noqa: PLW1509 - it only makes two system calls
        )
    try:
        _wait_for(port, server, log)
        yield site
    finally:
        server.terminate()
        server.wait(30)


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"The server did not start:\n{log.read_text()}") from None
            time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
