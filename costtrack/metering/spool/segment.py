"""Segments: the append-only files of the spool, each written by one process, which holds an flock on it.

The lock, not a pid, tells whether the writer lives: every container has a pid 7. A segment is locked under a temporary
name and then renamed, because one that can be seen before it is locked can be taken away.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex
from uuid import UUID

from costtrack.metering.spool.directory import SEGMENT_SUFFIX, give_to_owner_of
from costtrack.metering.spool.encoding import DamagedRecord, SpooledEvent, decode
from costtrack.metering.spool.header import HEADER_BYTES, SegmentHeader, read_header

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Batch:
    """What was read from a segment: events, lines that are damaged, and where the next line begins."""

    events: Sequence[SpooledEvent]
    damaged: Sequence[DamagedRecord]
    end: int

    @property
    def records(self) -> int:
        """How many lines that are."""
        return len(self.events) + len(self.damaged)


class Segment:
    """A segment that this process holds the lock of, to read and book it: its own, or one whose writer is gone."""

    def __init__(self, path: Path, descriptor: int, header: SegmentHeader, *, has_writer: bool = False) -> None:
        self.path = path
        self.header = header
        self.has_writer = has_writer
        """Whether lines may still be appended; then an unfinished last line is no damage."""
        self._descriptor = descriptor

    def read(self, most: int) -> Batch:
        """At most `most` lines from where booking has come to."""
        start = self.header.offset
        data = self._bytes_from(start)
        while b"\n" not in data and (more := self._bytes_from(start + len(data))):
            data += more
        events: list[SpooledEvent] = []
        damaged: list[DamagedRecord] = []
        position = 0
        while len(events) + len(damaged) < most and (line_end := data.find(b"\n", position)) >= 0:
            try:
                events.append(decode(data[position:line_end]))
            except DamagedRecord as damage:
                damaged.append(damage)
            position = line_end + 1
        if not position and data and not self.has_writer:
            damaged.append(DamagedRecord("The writer died in the middle of this line", data))
            position = len(data)
        return Batch(events, damaged, start + position)

    def set_booked(self, offset: int) -> None:
        """All before `offset` is in the ledger, or kept elsewhere: who adopts the segment begins there."""
        self._set_header(replace(self.header, offset=offset))

    def set_installation(self, installation: UUID) -> None:
        """The database's UUID is known now."""
        if self.header.installation != installation:
            self._set_header(replace(self.header, installation=installation))

    def size(self) -> int:
        """Its bytes now."""
        return os.fstat(self._descriptor).st_size

    def oldest_spooled_ms(self) -> int | None:
        """When the first line that is not booked yet was spooled; None if there is none."""
        batch = self.read(1)
        return batch.events[0].spooled_ms if batch.events else None

    def remove(self) -> None:
        """Delete it: all of it is booked."""
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Let go of it; with this process's last descriptor the lock goes."""
        descriptor, self._descriptor = self._descriptor, -1  # first: its number may soon be another file's
        if descriptor >= 0:
            os.close(descriptor)

    def _bytes_from(self, position: int) -> bytes:
        return os.pread(self._descriptor, CHUNK_BYTES, position)

    def _set_header(self, header: SegmentHeader) -> None:
        self.header = header
        os.pwrite(self._descriptor, header.encoded(), 0)


class WrittenSegment(Segment):
    """A segment of this process, to append to."""

    def __init__(self, directory: Path, header: SegmentHeader) -> None:
        """Make the file, lock it, and only then give it a name that others look for."""
        name = f"{time.time_ns() // 1_000_000:013d}-{os.getpid()}-{token_hex(4)}"
        hidden = directory / f".{name}.new"
        path = directory / f"{name}{SEGMENT_SUFFIX}"
        self._append_to = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        descriptor = -1
        try:
            fcntl.flock(self._append_to, fcntl.LOCK_EX | fcntl.LOCK_NB)
            give_to_owner_of(directory, self._append_to)
            if os.write(self._append_to, header.encoded()) != HEADER_BYTES:
                raise OSError(f"The header of {path} could not be written; the disk may be full.")
            descriptor = os.open(hidden, os.O_RDWR)
            os.rename(hidden, path)
        except BaseException:
            hidden.unlink(missing_ok=True)
            for opened in (self._append_to, descriptor):
                if opened >= 0:
                    os.close(opened)
            raise
        self.length = HEADER_BYTES
        """Up to where lines were appended whole."""
        self._may_have_rest = False
        """Whether an append was begun and not ended: what it has left, if anything, is behind `length`."""
        super().__init__(path, descriptor, header, has_writer=True)

    def append(self, lines: bytes, *, is_synced: bool = False) -> None:
        """Append whole lines by one write. If it raises, they are not in the segment, unless it was the sync.

        A signal handler may raise anything at any point: what it left is cut off before the next lines.
        """
        if self._may_have_rest:
            self.cut_off()
        self._may_have_rest = True
        written = os.write(self._append_to, lines)
        if written != len(lines):  # a full disk, without an exception
            os.ftruncate(self._append_to, self.length)
            raise OSError(f"Only {written} of {len(lines)} bytes could be written; the disk may be full.")
        self.length += written
        self._may_have_rest = False
        if is_synced:
            os.fdatasync(self._append_to)

    def cut_off(self) -> None:
        """Remove what an append that a signal handler interrupted has left: nobody was told that it is there."""
        if os.lseek(self._append_to, 0, os.SEEK_END) != self.length:
            os.ftruncate(self._append_to, self.length)

    @property
    def is_gone(self) -> bool:
        """Whether somebody has deleted the file: its lines can still be booked, but by this process only."""
        return os.fstat(self._append_to).st_nlink == 0

    def sync(self) -> None:
        """Bring what was appended to the disk."""
        os.fdatasync(self._append_to)

    def clear(self) -> None:
        """Drop all lines: they are booked. The header first: a crash between then repeats lines, and loses none."""
        self.set_booked(HEADER_BYTES)
        os.ftruncate(self._append_to, HEADER_BYTES)
        self.length = HEADER_BYTES

    def close(self) -> None:
        """Let go of it, and so of its lock."""
        super().close()
        descriptor, self._append_to = self._append_to, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _bytes_from(self, position: int) -> bytes:
        # Not past what was appended whole: the lines of a write that failed half-way are cut off again.
        return os.pread(self._descriptor, max(0, min(CHUNK_BYTES, self.length - position)), position)


def adopted(path: Path) -> Segment | None:
    """The segment, locked, if its writer is gone and nobody else has it; None otherwise. An empty file is removed.

    Raises PermissionError where another user's segment may not be opened, ValueError where it has no header.
    """
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        # Somebody may have booked and removed it between our open and our lock.
        if not path.exists() or os.stat(path).st_ino != os.fstat(descriptor).st_ino:
            os.close(descriptor)
            return None
        size = os.fstat(descriptor).st_size
        if not size:  # a loss of power took even the header
            path.unlink()
            os.close(descriptor)
            return None
        header = read_header(os.pread(descriptor, HEADER_BYTES, 0))
    except FileNotFoundError:
        os.close(descriptor)
        return None
    if header is None:
        os.close(descriptor)
        raise ValueError(f"{path} does not begin with the header of a segment that this version knows.")
    if header.offset > size:  # likewise: rather meet keys again than leave lines out
        header = replace(header, offset=HEADER_BYTES)
    return Segment(path, descriptor, header)
