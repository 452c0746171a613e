"""A proxy between a client and PostgreSQL that can cut, freeze, and lose the reply to COMMIT."""

from __future__ import annotations

import contextlib
import select
import shutil
import socket
import struct
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

SOCKET_NAME = ".s.PGSQL.5432"
LOOK_SECONDS = 0.01


class PostgresProxy:
    """Listens as a server would, in a `folder` of its own; use it as a context manager."""

    def __init__(self, upstream_folder: str | Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="costtrack-proxy-", dir="/tmp"))
        self.commits = 0
        """COMMITs that went through, or whose reply was lost."""
        self.lost_replies = 0
        self._upstream = str(Path(upstream_folder) / SOCKET_NAME)
        self._to_lose = 0
        self._keeps_open = False
        self._is_frozen = threading.Event()
        self._is_refusing = threading.Event()
        self._is_closing = threading.Event()
        self._lock = threading.Lock()
        self._links: list[tuple[socket.socket, socket.socket]] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.folder / SOCKET_NAME))
        self._listener.listen(64)
        self._listener.settimeout(LOOK_SECONDS)

    def __enter__(self) -> Self:
        self._run(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._is_closing.set()
        for thread in self._threads:
            thread.join(10)
        self._listener.close()
        shutil.rmtree(self.folder)

    def lose_commit_replies(self, count: int, *, keeps_open: bool = False) -> None:
        """Of the next `count` COMMITs the server gets each, and the client sees no answer, only a broken connection.

        With `keeps_open` not even that: it waits for ever.
        """
        with self._lock:
            self._to_lose, self._keeps_open = count, keeps_open

    def cut(self) -> None:
        """Break all connections that there are; new ones are let through."""
        with self._lock:
            for pair in self._links:
                for end in pair:
                    with contextlib.suppress(OSError):
                        end.shutdown(socket.SHUT_RDWR)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Meanwhile nothing passes, and nothing breaks either: a network that swallows what it is given."""
        self._is_frozen.set()
        try:
            yield
        finally:
            self._is_frozen.clear()

    @contextlib.contextmanager
    def refusing(self) -> Iterator[None]:
        """Meanwhile nobody gets through, as if the server were away."""
        self._is_refusing.set()
        self.cut()
        try:
            yield
        finally:
            self._is_refusing.clear()

    def new_messages(self) -> Messages:
        """What a client says over one connection."""
        return Messages()

    def _run(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._is_closing.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            if self._is_refusing.is_set():
                client.close()
                continue
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._upstream)
            with self._lock:
                self._links.append((client, server))
            self._run(self._link, client, server)

    def _link(self, client: socket.socket, server: socket.socket) -> None:
        messages = self.new_messages()
        try:
            while not self._is_closing.is_set():
                if self._is_frozen.is_set():
                    self._is_closing.wait(LOOK_SECONDS)
                    continue
                for end in select.select([client, server], [], [], LOOK_SECONDS)[0]:
                    data = end.recv(1 << 16)
                    if not data:
                        return
                    if end is server:
                        client.sendall(data)
                        continue
                    server.sendall(data)
                    if messages.are_commit(data) and self._is_to_be_lost():
                        server.recv(1 << 16)  # the server has committed, and says so to nobody
                        with self._lock:
                            self.lost_replies += 1
                            keeps_open = self._keeps_open
                        if not keeps_open:
                            return
        except OSError:
            return
        finally:
            with self._lock:
                self._links.remove((client, server))
            client.close()
            server.close()

    def _is_to_be_lost(self) -> bool:
        with self._lock:
            self.commits += 1
            if not self._to_lose:
                return False
            self._to_lose -= 1
            return True


class Messages:
    """What a client says: a start-up message without a type, then a type, a length and a body each."""

    def __init__(self) -> None:
        self._buffer = b""
        self._has_begun = False

    def are_commit(self, data: bytes) -> bool:
        """Whether a whole message in what was said up to now, and not before, is the query COMMIT."""
        self._buffer += data
        found = False
        while True:
            head = 1 if self._has_begun else 0
            if len(self._buffer) < head + 4:
                return found
            length = head + struct.unpack_from("!I", self._buffer, head)[0]
            if len(self._buffer) < length:
                return found
            found |= self._has_begun and self.is_one(self._buffer[:length])
            self._has_begun = True
            self._buffer = self._buffer[length:]

    def is_one(self, message: bytes) -> bool:
        """Whether it is one whose reply may be lost."""
        return message == b"Q\x00\x00\x00\x0bCOMMIT\x00"
