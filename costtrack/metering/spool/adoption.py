"""Segments whose writer is gone: found by their free lock, and adopted if they are for this database."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from costtrack.metering.spool.directory import SEGMENT_SUFFIX
from costtrack.metering.spool.segment import Segment, adopted

ABANDONED_SECONDS = 3600
"""A hidden file of this age was left by a process that was killed while it made a segment; no event is in it."""

_unreadable: set[Path] = set()
_adopted: set[Segment] = set()
"""The segments that this process is booking for dead ones now."""
logger = logging.getLogger("costtrack")


def orphans(directory: Path, *, installation: UUID, address: str, but: Collection[Path]) -> Iterator[Segment]:
    """Segments of this installation that nobody writes any more, oldest first, each locked: close or remove it.

    Those that were locked are looked at once more at the end: a look at the spool's state locks them for a moment.
    """
    paths = [path for path in sorted(directory.glob(f"*{SEGMENT_SUFFIX}")) if path not in but]
    for _ in range(2):
        locked = []
        for path in paths:
            segment = _adopted_if_free(path)
            if segment is None:
                locked.append(path)
            elif segment.header.belongs_to(installation, address):
                _adopted.add(segment)
                try:
                    yield segment
                finally:
                    _adopted.discard(segment)
            else:
                segment.close()
        paths = locked


def _adopted_if_free(path: Path) -> Segment | None:
    try:
        return adopted(path)
    except PermissionError:  # another user's; his processes adopt it
        return None
    except (OSError, ValueError) as error:
        if path not in _unreadable:
            _unreadable.add(path)
            logger.error("The segment %s is left alone: %s", path, error)
        return None


def _forget_in_child() -> None:
    """After a fork: the parent books them, and its locks must end with it."""
    while _adopted:
        _adopted.pop().close()


os.register_at_fork(after_in_child=_forget_in_child)


def remove_abandoned(directory: Path) -> None:
    """Remove what killed processes left before their segment had a name."""
    for path in directory.glob(".*.new"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > ABANDONED_SECONDS:
                path.unlink()
