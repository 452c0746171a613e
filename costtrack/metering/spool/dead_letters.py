"""What can not be booked is kept: one line of JSON in the spool's directory, with the reason, to be retried."""

from __future__ import annotations

import base64
import fcntl
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import orjson

from costtrack.conf import settings
from costtrack.domain.events import UsageEvent
from costtrack.metering.event_json import event_fields, event_of_fields
from costtrack.metering.spool.directory import DEAD_LETTERS, give_to_owner_of
from costtrack.metering.spool.file_lock import locked

LOCK_SECONDS = 5.0
"""For so long the file is waited for, of which every writer needs milliseconds; then a file of its own will do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """An event that could not be booked, or the bytes of a line that is damaged, with the reason."""

    reason: str
    event: UsageEvent | None = None
    raw: bytes = b""
    failed_at: datetime | None = None
    """None = now."""

    def line(self) -> bytes:
        """Its line in the file; an event's fields by name, so that people can read and mend them."""
        fields: dict[str, Any] = {"failed_at": self.failed_at or datetime.now(UTC), "reason": self.reason}
        if self.event is not None:
            fields["event"] = event_fields(self.event)
        else:
            fields["raw"] = base64.b64encode(self.raw).decode()
        return orjson.dumps(fields, default=str) + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Self:
        """Read one back. Raises ValueError where the line was mended into something else."""
        try:
            fields = orjson.loads(line)
            event = event_of_fields(fields["event"]) if "event" in fields else None
            raw = base64.b64decode(fields.get("raw", ""))
            return cls(
                reason=str(fields["reason"]),
                event=event,
                raw=raw,
                failed_at=datetime.fromisoformat(fields["failed_at"]),
            )
        except (KeyError, TypeError, AttributeError, ArithmeticError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error


class DeadLetters:
    """The file of a spool's directory. Every writer locks it for its one append."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / DEAD_LETTERS
        self._directory = directory

    def add(self, letters: Sequence[DeadLetter]) -> None:
        """Keep them, on the disk before this returns. Raises OSError, also past COSTTRACK["SPOOL_MAX_BYTES"]."""
        try:
            size = self.path.stat().st_size
        except FileNotFoundError:  # there are none yet, or a retry has just taken them
            size = 0
        if size > settings.spool_max_bytes:
            raise OSError(f"{self.path} has reached {settings.spool_max_bytes:,} bytes (SPOOL_MAX_BYTES).")
        self._append(b"".join(letter.line() for letter in letters))

    def count(self) -> int:
        """How many there are, those in a retry that was killed among them."""
        return sum(1 for path in self._files() for _ in _each_line(path))

    def reasons(self, most: int = 5) -> list[tuple[str, int]]:
        """The commonest reasons, with how many letters have each."""
        counts: Counter[str] = Counter()
        for path in self._files():
            for line in _each_line(path):
                try:
                    counts[str(orjson.loads(line).get("reason", "?"))] += 1
                except (ValueError, AttributeError):
                    counts["The line is no JSON object"] += 1
        return counts.most_common(most)

    @contextmanager
    def taken(self) -> Iterator[list[bytes]]:
        """All lines, out of the file; if the block ends well they are gone, else they are found again by the next."""
        if self.path.exists():
            with self._locked() as descriptor:
                if os.fstat(descriptor).st_size:
                    os.rename(self.path, self._aside())
        with ExitStack() as held:
            taken = [path for path in self._retried_files() if held.enter_context(_kept_from_others(path))]
            yield [line for path in taken for line in _lines(path)]
            for path in taken:
                path.unlink(missing_ok=True)

    def put_back(self, lines: Sequence[bytes]) -> None:
        """Keep lines as they are."""
        self._append(b"".join(line + b"\n" for line in lines))

    def _append(self, data: bytes) -> None:
        try:
            with self._locked() as descriptor:
                _write_whole(descriptor, data)
        except BlockingIOError:
            self._put_aside(data)

    def _put_aside(self, data: bytes) -> None:
        path = self._aside()
        hidden = path.with_name(f".{path.name}.new")  # until it is whole, or a retry could take it half
        descriptor = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            _write_whole(descriptor, data)
            os.rename(hidden, path)
        finally:
            os.close(descriptor)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        while True:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            give_to_owner_of(self._directory, descriptor)
            try:
                with locked(descriptor, within_seconds=LOCK_SECONDS):
                    # A retry may have taken the file away between our open and our lock.
                    if _is_at(self.path, descriptor):
                        yield descriptor
                        return
            finally:
                os.close(descriptor)

    def _aside(self) -> Path:
        """A new name for letters that are not in the file: the next retry takes them, too."""
        return self.path.with_suffix(f".retry-{time.time_ns()}-{os.getpid()}.jsonl")

    def _files(self) -> list[Path]:
        return [path for path in (self.path, *self._retried_files()) if path.exists()]

    def _retried_files(self) -> list[Path]:
        return sorted(self._directory.glob(f"{self.path.stem}.retry-*.jsonl"))


def _lines(path: Path) -> list[bytes]:
    return list(_each_line(path))


def _each_line(path: Path) -> Iterator[bytes]:
    """Those that are not blank, without their ends; none where the file is gone, or another user's."""
    try:
        with path.open("rb") as file:
            for line in file:
                if line.strip():
                    yield line.rstrip(b"\n")
    except (FileNotFoundError, PermissionError):
        return


@contextmanager
def _kept_from_others(path: Path) -> Iterator[bool]:
    """Whether no other retry has had the file; then none has it meanwhile."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        yield False
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_ours = _is_at(path, descriptor)
        except BlockingIOError:
            is_ours = False
        yield is_ours
    finally:
        os.close(descriptor)


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether the open file is still the one of that name."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _write_whole(descriptor: int, data: bytes) -> None:
    """Append it and bring it to the disk; raises OSError, and then nothing of it stays."""
    before = os.fstat(descriptor).st_size
    if before and os.pread(descriptor, 1, before - 1) != b"\n":
        data = b"\n" + data  # whoever wrote there was killed in the middle of a line
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fdatasync(descriptor)
    except OSError:
        os.ftruncate(descriptor, before)
        raise
