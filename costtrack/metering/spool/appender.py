"""The events of this process on their way to disk: appended under one lock, at once, to the active segment."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import ParamSpec, TypeVar
from uuid import UUID

from costtrack.conf import settings
from costtrack.domain.events import UsageEvent
from costtrack.exceptions import CostTrackError
from costtrack.metering.spool.directory import prepared_directory, spool_size
from costtrack.metering.spool.encoding import encode
from costtrack.metering.spool.header import HEADER_BYTES, SegmentHeader
from costtrack.metering.spool.segment import Segment, WrittenSegment

logger = logging.getLogger("costtrack")

P = ParamSpec("P")
T = TypeVar("T")

SEGMENT_BYTES = 8 << 20
"""A segment that would grow past this is left to be booked, and the next one begun."""
CLEARED_ABOVE_BYTES = 256 << 10
"""A segment of which all is booked is emptied once it is longer than this."""
WAKING_EVENTS = 1000
"""This many wake the flusher; fewer wait for its next round."""


class SpoolFull(CostTrackError):
    """The spool has reached COSTTRACK["SPOOL_MAX_BYTES"]."""


class SpoolClosed(CostTrackError):
    """This spool was stopped; the next one begins."""


class SpoolBusy(CostTrackError):
    """This very thread is appending: the caller is a finalizer or a signal handler in the middle of it."""


class Wake:
    """Wakes the flusher. A threading.Event stays locked for ever if a signal handler raises in the middle of `set`."""

    def __init__(self) -> None:
        """Not set."""
        self._calls: SimpleQueue[None] = SimpleQueue()

    def set(self) -> None:
        """End the flusher's wait, or its next one."""
        if self._calls.empty():
            self._calls.put(None)

    def wait(self, seconds: float) -> None:
        """Until it is set, or so long; afterwards it is not set any more."""
        with suppress(Empty):
            self._calls.get(timeout=seconds)


class Appender:
    """Appends events, and hands the segments to the flusher, oldest first."""

    def __init__(self, directory: Path, *, address: str) -> None:
        self.directory = directory
        self.lock = threading.RLock()
        """Held while lines are appended or segments change; never while the database is spoken to."""
        self._wake_at = WAKING_EVENTS
        self._is_busy = False
        """Whether the thread that has the lock is in the middle of a change."""
        self.wake = Wake()
        """Set when there is a batch for the flusher."""
        self.on_batch: Callable[[], None] = lambda: None
        """Called with it: there must be a flusher."""
        self.spooled = 0
        """Events appended since the process began."""
        self.booked = 0
        """Of those, the ones that are in the ledger or kept elsewhere."""
        self._address = address
        self._installation: UUID | None = None
        self._segments: tuple[WrittenSegment, ...] = ()
        """Oldest first; the last one is appended to. Changed by one assignment: nothing can interrupt that."""
        self._max_bytes = settings.spool_max_bytes
        self._fsync = settings.spool_fsync
        self._is_synced = self._fsync == "always"
        self._bytes_elsewhere = spool_size(directory).bytes
        self._is_closed = False

    def append(self, lines: bytes, *, count: int, is_urgent: bool) -> None:
        """Append the lines of so many events by one write, and wake the flusher if it is time, or urgent.

        Raises SpoolFull, SpoolBusy or OSError; then nothing of them was written. `_alone`, written out, for every
        metered call waits for it.
        """
        with self.lock:
            if self._is_busy:
                raise _busy()
            try:
                self._is_busy = True
                segments = self._segments
                active = segments[-1] if segments else self._next(None)
                length = active.length
                end = length + len(lines)
                if end > SEGMENT_BYTES or self._bytes_elsewhere + end > self._max_bytes:
                    active = self._with_room(active, len(lines))
                    length = active.length
                try:
                    active.append(lines, is_synced=self._is_synced)
                finally:
                    if active.length > length:  # also where the sync failed, or a signal handler raised
                        self.spooled += count
            finally:
                self._is_busy = False
        if is_urgent or self.spooled >= self._wake_at:
            self._wake_flusher()

    def append_all(self, events: Sequence[UsageEvent]) -> None:
        """Spool several events: all, or, if it raises, none."""
        now_ms = time.time_ns() // 1_000_000
        lines = b"".join([encode(event, now_ms) for event in events])
        self.append(lines, count=len(events), is_urgent=any(event.hold_id for event in events))

    def segments(self) -> tuple[WrittenSegment, ...]:
        """All that hold, or may get, events of this process."""
        return self._segments

    def set_installation(self, installation: UUID) -> None:
        """The flusher has spoken to the database: say in each header whose events these are."""
        if self._installation != installation:
            self._alone(self._set_installation, installation)

    def tidy(self) -> None:
        """Remove and empty segments of which all is booked, and see how full the directory is; the flusher does so."""
        active = self._alone(self._tidy, spool_size(self.directory).bytes)
        if active and self._fsync == "interval" and not self._is_booked(active):
            active.sync()

    def close(self) -> None:
        """Let go of all segments; those of which all is booked are deleted, the others are there to be adopted."""
        self._alone(self._close)

    def forget_in_child(self) -> None:
        """After a fork: the parent's descriptors would keep its lock after its death."""
        for segment in self._segments:
            segment.close()

    def _alone(self, change: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do it under the lock. Raises SpoolBusy if this thread is in the middle of another change.

        The garbage collector and signal handlers run anywhere, also in here, and may drop or end a stream whose usage
        is then appended: with a plain lock that would wait for itself for ever.
        """
        with self.lock:
            if self._is_busy:
                raise _busy()
            try:
                self._is_busy = True
                return change(*args, **kwargs)
            finally:
                self._is_busy = False

    def _with_room(self, active: WrittenSegment, size: int) -> WrittenSegment:
        """Where so many bytes are appended to if `active` is full. Raises SpoolFull."""
        if active.length + size > SEGMENT_BYTES:
            active = self._next(active)
        if self._bytes_elsewhere + active.length + size > self._max_bytes:
            raise SpoolFull(
                f"The spool {self.directory} has reached {self._max_bytes:,} bytes (SPOOL_MAX_BYTES): "
                "the database has been away for long, or `manage.py costtrack_doctor` shows what is stuck."
            )
        return active

    def _wake_flusher(self) -> None:
        self._wake_at = self.spooled + WAKING_EVENTS
        self.wake.set()
        self.on_batch()

    def _set_installation(self, installation: UUID) -> None:
        self._installation = installation
        for segment in self._segments:
            segment.set_installation(installation)

    def _tidy(self, bytes_in_all: int) -> WrittenSegment | None:
        active = self._segments[-1] if self._segments else None
        self._bytes_elsewhere = bytes_in_all - (active.length if active else 0)
        while len(self._segments) > 1 and self._is_booked(self._segments[0]):
            first, *rest = self._segments
            self._segments = tuple(rest)
            first.remove()
        if active and active.is_gone:
            logger.error(
                "The segment %s was deleted while it was in use. This process books what it holds, if it lives; a new "
                "one is begun. Keep SPOOL_DIR out of reach of whatever cleans up.",
                active.path,
            )
            prepared_directory(self.directory)
            return self._next(active)
        if active and active.length > CLEARED_ABOVE_BYTES and self._is_booked(active):
            active.clear()
        return active

    def _close(self) -> None:
        self._is_closed = True
        closed, self._segments = self._segments, ()
        for segment in closed:
            if self._is_booked(segment):
                segment.remove()
            else:
                segment.close()

    def _next(self, active: WrittenSegment | None) -> WrittenSegment:
        if self._is_closed:
            raise SpoolClosed
        header = SegmentHeader(address=self._address, installation=self._installation)
        new = WrittenSegment(self.directory, header)
        if active is not None:
            active.cut_off()
            active.has_writer = False
            self._bytes_elsewhere += active.length
        self._segments = (*self._segments, new)
        if active is not None:
            if self._fsync != "never":
                active.sync()
            self.wake.set()
        return new

    @staticmethod
    def _is_booked(segment: Segment) -> bool:
        return segment.header.offset >= max(HEADER_BYTES, segment.size())


def _busy() -> SpoolBusy:
    return SpoolBusy("This thread is in the middle of a change of the spool.")
