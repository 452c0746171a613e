"""What lies in a spool's directory: a look from outside, by any process, that changes nothing."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from uuid import UUID

from costtrack.metering.spool.directory import SEGMENT_SUFFIX, spool_size
from costtrack.metering.spool.encoding import DamagedRecord, decode
from costtrack.metering.spool.header import HEADER_BYTES, SegmentHeader, read_header

FIRST_LINE_BYTES = 1 << 20
"""A first line longer than this tells no age."""


class SegmentKind(StrEnum):
    """Who will book a segment."""

    LIVE = "live"
    """The process that writes it."""
    ORPHANED = "orphaned"
    """Its process is gone: another one of this installation adopts it, or `manage.py flush_usage`."""
    FOREIGN = "foreign"
    """Its events are for another database."""
    UNREADABLE = "unreadable"
    """Nobody, before it is looked into: another user's file, or no segment that this version knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentState:
    """One segment as it is now."""

    path: Path
    kind: SegmentKind
    unbooked_bytes: int
    """Of lines that may not be in the ledger yet."""
    oldest_spooled_ms: int | None
    """When the first of them was spooled, in milliseconds since 1970; None if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolState:
    """The whole directory."""

    directory: Path
    segments: tuple[SegmentState, ...]
    bytes: int
    """Of all files, dead letters included."""

    def count(self, kind: SegmentKind) -> int:
        """How many segments are of that kind."""
        return sum(segment.kind is kind for segment in self.segments)

    @property
    def unbooked_bytes(self) -> int:
        """Of events of this installation that may not be in the ledger yet."""
        return sum(segment.unbooked_bytes for segment in self._ours())

    @property
    def oldest_unflushed_seconds(self) -> float:
        """The age of the oldest such event; 0 if there is none."""
        times = [segment.oldest_spooled_ms for segment in self._ours() if segment.oldest_spooled_ms is not None]
        return max(0.0, time.time() - min(times) / 1000) if times else 0.0

    def foreign_for(self, seconds: float) -> int:
        """How many segments of other databases hold events that are older than that."""
        before_ms = (time.time() - seconds) * 1000
        foreign = (
            one for one in self.segments if one.kind is SegmentKind.FOREIGN and one.oldest_spooled_ms is not None
        )
        return sum(one.oldest_spooled_ms < before_ms for one in foreign if one.oldest_spooled_ms is not None)

    def _ours(self) -> Iterator[SegmentState]:
        return (one for one in self.segments if one.kind in (SegmentKind.LIVE, SegmentKind.ORPHANED))


def spool_state(directory: Path, *, address: str, installation: UUID | None = None) -> SpoolState:
    """The state of a directory; empty if it does not exist.

    `address` and `installation` tell the own database's segments; where the UUID is not known, the address decides.
    """
    states = (
        _segment_state(path, address=address, installation=installation)
        for path in sorted(directory.glob(f"*{SEGMENT_SUFFIX}"))
    )
    found = tuple(state for state in states if state is not None)
    return SpoolState(directory=directory, segments=found, bytes=spool_size(directory).bytes)


def _segment_state(path: Path, *, address: str, installation: UUID | None) -> SegmentState | None:
    """The state of one segment; None if it is gone meanwhile."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    except OSError:
        return SegmentState(path=path, kind=SegmentKind.UNREADABLE, unbooked_bytes=0, oldest_spooled_ms=None)
    try:
        header = read_header(os.pread(descriptor, HEADER_BYTES, 0))
        size = os.fstat(descriptor).st_size
        if header is None:
            return SegmentState(path=path, kind=SegmentKind.UNREADABLE, unbooked_bytes=size, oldest_spooled_ms=None)
        return SegmentState(
            path=path,
            kind=_kind(descriptor, header, address=address, installation=installation),
            unbooked_bytes=max(0, size - header.offset),
            oldest_spooled_ms=_oldest(descriptor, header),
        )
    finally:
        os.close(descriptor)


def _kind(descriptor: int, header: SegmentHeader, *, address: str, installation: UUID | None) -> SegmentKind:
    is_ours = header.address == address if installation is None else header.belongs_to(installation, address)
    if not is_ours:
        return SegmentKind.FOREIGN
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # given back with the descriptor, at once
    except BlockingIOError:
        return SegmentKind.LIVE
    return SegmentKind.ORPHANED


def _oldest(descriptor: int, header: SegmentHeader) -> int | None:
    line, found, _ = os.pread(descriptor, FIRST_LINE_BYTES, header.offset).partition(b"\n")
    if found:
        with suppress(DamagedRecord):
            return decode(line).spooled_ms
    return None
