"""Starting a host's processes on the test database, and what they have left behind when they are gone."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from django.db import connection

from costtrack.metering.spool.directory import SEGMENT_SUFFIX
from costtrack.metering.spool.header import HEADER_BYTES, read_header
from costtrack.models import ResourceUsage
from tests.servers import dies_with_its_parent

ROOT = Path(__file__).parents[2]
SECONDS = 60.0


@dataclass(kw_only=True)
class Host:
    """A host's processes, with a spool of their own."""

    folder: Path
    children: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def spool_dir(self) -> Path:
        """Where they spool."""
        return self.folder / "spool"

    @property
    def socket(self) -> Path:
        """Where its web server listens."""
        return self.folder / "http"

    def start(self, module: str, *arguments: object, **environment: str) -> subprocess.Popen[str]:
        """Start `python -m module arguments`; it is killed when the test ends."""
        environment = {
            **{name: value for name, value in os.environ.items() if name != "XDG_RUNTIME_DIR"},
            "DJANGO_SETTINGS_MODULE": "tests.exits.settings",
            "DATABASE_URL": url_of_the_test_database(),
            "COSTTRACK_TRANSPORT": "spool",
            "COSTTRACK_SPOOL_DIR": str(self.spool_dir),
            "HOME": str(self.folder),
            **environment,
        }
        with self.log.open("a") as output:
            child = subprocess.Popen(
                [sys.executable, "-m", module, *map(str, arguments)],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
                preexec_fn=dies_with_its_parent(signal.SIGTERM),  # noqa: PLW1509 - it only makes two system calls
            )
        self.children.append(child)
        return child

    def run(self, module: str, *arguments: object, **environment: str) -> int:
        """Start it, and wait for its end; its exit code."""
        return self.end_of(self.start(module, *arguments, **environment))

    def end_of(self, child: subprocess.Popen[str], with_signal: signal.Signals | None = None) -> int:
        """Wait for the end of a process, after telling it to end; its exit code."""
        if with_signal is not None:
            child.send_signal(with_signal)
        try:
            return child.wait(SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"It has not ended in {SECONDS} s:\n{self.said()}") from None

    @property
    def log(self) -> Path:
        """What the processes say."""
        return self.folder / "log"

    def said(self) -> str:
        """The end of it."""
        return self.log.read_text(errors="replace")[-6000:]

    def get(self, path: str) -> int:
        """Ask the web server, once it answers; the pid that it answers with."""

        def answer() -> int | None:
            request = UnixConnection(self.socket)
            try:
                request.request("GET", path)
                answered = request.getresponse()
                body = answered.read()
            except (ConnectionError, FileNotFoundError):
                return None
            finally:
                request.close()
            assert answered.status == 200, body
            return int(body)

        return int(wait_until(answer, what=f"an answer to {path}", host=self))

    def get_from_each(self, workers: int, kind: str, prefix: str) -> list[str]:
        """Ask until each of that many workers has metered; the prefixes they metered under."""
        pids: set[int] = set()
        prefixes: list[str] = []
        deadline = time.monotonic() + SECONDS
        while len(pids) < workers:
            assert time.monotonic() < deadline, self.said()
            prefixes.append(f"{prefix}{len(prefixes)}")
            pids.add(self.get(f"/{kind}/{prefixes[-1]}"))
        return prefixes

    def check(self, *prefixes: str, count: int = 3) -> None:
        """The ledger holds exactly the events of these prefixes, each was booked once, and none is left on disk."""
        expected = sorted(f"{prefix}-{number}" for prefix in prefixes for number in range(count))
        assert self.booked() == expected, self.said()
        assert self.unbooked_bytes() == 0
        assert self.counters()["recorded"] == len(expected)
        assert self.counters()["duplicates"] == 0

    def booked(self) -> list[str]:
        """The names of the events in the ledger, twice if they are there twice."""
        return sorted(ResourceUsage.objects.values_list("request_id", flat=True))

    def counters(self) -> dict[str, Any]:
        """Of all processes."""
        counters: dict[str, Any] = orjson.loads((self.spool_dir / "counters.json").read_bytes())
        return counters

    def unbooked_bytes(self) -> int:
        """How much of the spool is not booked."""
        unbooked = 0
        for path in self.spool_dir.glob(f"*{SEGMENT_SUFFIX}"):
            content = path.read_bytes()
            header = read_header(content[:HEADER_BYTES])
            assert header is not None
            unbooked += len(content) - header.offset
        return unbooked

    def kill(self) -> None:
        """End what still runs, children of the processes included: a test that failed may have left some."""
        for child in self.children:
            if child.poll() is None:
                child.terminate()
                with suppress(subprocess.TimeoutExpired):
                    child.wait(10)
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()


class UnixConnection(http.client.HTTPConnection):
    """An HTTP connection over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(SECONDS)
        try:
            self.sock.connect(str(self._path))
        except OSError:
            self.sock.close()
            raise


def wait_until(is_so: Callable[[], Any], *, what: str, host: Host) -> Any:
    """Look every few milliseconds until it is so; what was found."""
    deadline = time.monotonic() + SECONDS
    while not (found := is_so()):
        assert time.monotonic() < deadline, f"After {SECONDS} s still not: {what}\n{host.said()}"
        assert any(child.poll() is None for child in host.children), f"All have ended, before: {what}\n{host.said()}"
        time.sleep(0.01)
    return found


def is_gone(pid: int) -> bool:
    """Whether a process that may be nobody's child here has ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def url_of_the_test_database() -> str:
    """The DATABASE_URL of the database that the test sees."""
    values = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{values['NAME']}"
    host = str(values["HOST"]).replace("/", "%2F")
    return f"postgres://{values['USER']}:{values['PASSWORD']}@{host}:{values['PORT']}/{values['NAME']}"
