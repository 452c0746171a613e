"""Segments whose writer is gone: found by their free lock, and adopted if they are for this database."""

from __future__ import annotations

import logging
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
logger = logging.getLogger("costtrack")


def orphans(directory: Path, *, installation: UUID, address: str, but: Collection[Path]) -> Iterator[Segment]:
    """Segments of this installation that nobody writes any more, oldest first, each locked: close or remove it."""
    for path in sorted(directory.glob(f"*{SEGMENT_SUFFIX}")):
        if path in but:
            continue
        try:
            segment = adopted(path)
        except PermissionError:  # another user's; his processes adopt it
            continue
        except (OSError, ValueError) as error:
            if path not in _unreadable:
                _unreadable.add(path)
                logger.error("The segment %s is left alone: %s", path, error)
            continue
        if segment is None:
            continue
        if segment.header.belongs_to(installation, address):
            yield segment
        else:
            segment.close()


def remove_abandoned(directory: Path) -> None:
    """Remove what killed processes left before their segment had a name."""
    for path in directory.glob(".*.new"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > ABANDONED_SECONDS:
                path.unlink()
