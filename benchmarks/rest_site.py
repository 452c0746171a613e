"""The example site served by gunicorn, one connection to it, and questions that are timed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SECONDS_WITHOUT_BAR = 15


@dataclass(kw_only=True)
class Line:
    """A question that is asked again and again."""

    side: str
    title: str
    ask: Callable[[], object]
    bar: int | None = None
    seconds: list[float] = field(default_factory=list)
    """Of each answer, the shortest first."""

    def measured(self, times: int) -> Line:
        """Ask it so often, and three times before; one without a bar until it has taken long enough."""
        for _ in range(3):
            self.ask()
        began = time.perf_counter()
        while len(self.seconds) < times:
            started = time.perf_counter()
            self.ask()
            ended = time.perf_counter()
            self.seconds.append(ended - started)
            if self.bar is None and ended - began > SECONDS_WITHOUT_BAR:
                break
        self.seconds.sort()
        return self

    @property
    def p99_ms(self) -> float:
        """What 99 of 100 answers take at most."""
        return self.seconds[(len(self.seconds) * 99 - 1) // 100] * 1000

    @property
    def held(self) -> bool:
        """Whether it is within its bar."""
        return self.bar is None or self.p99_ms <= self.bar


class Site:
    """The web server, and the one connection to it."""

    def __init__(self, socket: Path, token: str) -> None:
        from tests.exits.processes import UnixConnection

        self.connection = UnixConnection(socket)
        self.token = token

    def send(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        status: int = 200,
    ) -> tuple[Any, bytes]:
        """The answer, which has that status, and its body."""
        sent = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        self.connection.request(method, path, body=body, headers=sent)
        answer = self.connection.getresponse()
        told = answer.read()
        if answer.status != status or answer.will_close:
            raise SystemExit(f"{method} {path}: {answer.status}, {answer.headers}\n{told[:1000].decode()}")
        return answer, told

    def get(self, path: str, *, headers: dict[str, str] | None = None, status: int = 200) -> Any:
        """The answer to a path of the API."""
        return self.send("GET", f"/api/costs/{path}", headers=headers, status=status)[0]

    def json(self, path: str) -> Any:
        """What it says."""
        import orjson

        return orjson.loads(self.send("GET", f"/api/costs/{path}")[1])

    def page_after(self, path: str, *, pages: int) -> str:
        """The path of the page that comes after so many; of the last one, where there are no more."""
        for _ in range(pages):
            following = self.json(path)["next"]
            if following is None:
                break
            path = following.partition("/api/costs/")[2]
        return path.replace("page_size=1000", "page_size=100")

    def line(
        self, title: str, path: str, *, bar: int | None = None, headers: dict[str, str] | None = None, status: int = 200
    ) -> Line:
        """A question of it."""
        return Line(side="REST", title=title, ask=lambda: self.get(path, headers=headers, status=status), bar=bar)


@contextmanager
def serving(folder: Path, *, token: str) -> Iterator[Site]:
    """The example site, served by one worker that answers one request at a time."""
    from tests.servers import dies_with_its_parent

    socket, log = folder / "http", folder / "log"
    worker = ("--worker-class", "gthread", "--threads", "1", "--keep-alive", "600", "--timeout", "600")
    with log.open("ab") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "project.wsgi", "--bind", f"unix:{socket}", *worker],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=dies_with_its_parent(signal.SIGTERM),  # noqa: PLW1509 - it only makes two system calls
        )
    try:
        deadline = time.monotonic() + 60
        while not socket.exists():
            if server.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"gunicorn did not start:\n{log.read_text()}")
            time.sleep(0.05)
        yield Site(socket, token)
    finally:
        server.terminate()
        server.wait(30)
