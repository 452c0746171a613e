"""Events whose organization is not there yet: kept in a segment of their own, and tried again every ten seconds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from costtrack.conf import settings
from costtrack.metering.spool.encoding import SpooledEvent, encode
from costtrack.metering.spool.header import SegmentHeader
from costtrack.metering.spool.segment import Segment, WrittenSegment

RETRY_SECONDS = 10.0


class WaitingRoom:
    """A transaction that makes an organization may meter before it commits; a mistyped organization never comes."""

    def __init__(self, directory: Path, *, address: str) -> None:
        self._directory = directory
        self._address = address
        self.installation: UUID | None = None
        """The database's UUID, once it is known."""
        self._arriving: WrittenSegment | None = None
        self._due: list[Segment] = []
        self._next_try = 0.0

    def add(self, events: Sequence[SpooledEvent]) -> None:
        """Keep them, with the time at which they were first spooled."""
        if self._arriving is None:
            header = SegmentHeader(address=self._address, installation=self.installation)
            self._arriving = WrittenSegment(self._directory, header)
            self._next_try = time.monotonic() + RETRY_SECONDS
        lines = b"".join(encode(one.event, one.spooled_ms) for one in events)
        self._arriving.append(lines, is_synced=settings.spool_fsync != "never")

    def due(self) -> list[Segment]:
        """The segments to try again now; the caller removes each that it has booked."""
        if self._arriving is not None and time.monotonic() >= self._next_try:
            self._arriving.has_writer = False
            self._due.append(self._arriving)
            self._arriving = None
        self._due = [segment for segment in self._due if segment.path.exists()]
        return list(self._due)

    def paths(self) -> set[Path]:
        """The files that are in use here."""
        return {segment.path for segment in [*self._due, *([self._arriving] if self._arriving else [])]}

    def close(self) -> None:
        """Let go of them; whoever adopts them tries on."""
        for segment in [*self._due, *([self._arriving] if self._arriving else [])]:
            segment.close()
        self._due, self._arriving = [], None
