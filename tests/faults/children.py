"""Processes that a fault test starts: each ends with the test, whatever becomes of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from tests.servers import dies_with_its_parent

ROOT = Path(__file__).parent.parent.parent
START_SECONDS = 60.0


class Child:
    """A Python process that runs one module of the fault tests, with the settings of the example site."""

    def __init__(self, module: str, *arguments: object, environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", f"tests.faults.{module}", *map(str, arguments)],
                cwd=ROOT,
                env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.faults.settings", **environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
                preexec_fn=dies_with_its_parent(signal.SIGKILL),  # noqa: PLW1509 - it only makes two system calls
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """Its pid."""
        return self.process.pid

    def send(self, signal_number: signal.Signals) -> None:
        """Send a signal, if it is still there."""
        self.process.send_signal(signal_number)

    def pause(self) -> None:
        """SIGSTOP, and wait until nothing of it runs any more; SIGCONT lets it go on."""
        self.send(signal.SIGSTOP)
        tasks = Path(f"/proc/{self.pid}/task")
        wait_until(
            lambda: all((task / "stat").read_text().rsplit(")", 1)[1].split()[0] == "T" for task in tasks.iterdir()),
            what="it has stopped",
        )

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()

    def result(self, timeout_seconds: float = 120.0) -> str:
        """Wait for its end, which must be a good one; what it wrote to its standard output."""
        try:
            output, _ = self.process.communicate(timeout=timeout_seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"It did not end in {timeout_seconds} s:\n{self.said()}") from None
        assert self.process.returncode == 0, f"It ended with {self.process.returncode}:\n{self.said()}"
        return output

    def said(self) -> str:
        """The end of its standard error."""
        return self.log.read_text(errors="replace")[-6000:]


def run(module: str, *arguments: object, environment: Mapping[str, str], log: Path) -> Any:
    """Run a module that prints JSON to its end; what it printed."""
    with Child(module, *arguments, environment=environment, log=log) as child:
        return json.loads(child.result())


def wait_until(is_so: Callable[[], Any], *, what: str, timeout_seconds: float = 60.0) -> Any:
    """Look every few milliseconds until it is so; what was found."""
    deadline = time.monotonic() + timeout_seconds
    while not (found := is_so()):
        assert time.monotonic() < deadline, f"After {timeout_seconds} s still not: {what}"
        time.sleep(0.02)
    return found


@contextmanager
def all_killed(children: list[Child]) -> Iterator[list[Child]]:
    """The list; at the end all that is in it by then is killed."""
    try:
        yield children
    finally:
        for child in children:
            child.kill()
