"""A spool of its own for each test, and what lies in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from costtrack.metering import spool
from costtrack.metering.spool.directory import prepared_directory
from costtrack.metering.spool.header import SegmentHeader, address_of
from costtrack.metering.spool.segment import WrittenSegment


@pytest.fixture
def spool_dir(tmp_path: Path, settings: Any) -> Iterator[Path]:
    """The directory in force; this process's spool is stopped at the end."""
    directory = tmp_path / "spool"
    settings.COSTTRACK = {"TRANSPORT": "spool", "SPOOL_DIR": directory}
    yield directory
    spool.stop(5.0)


@pytest.fixture
def own_header() -> SegmentHeader:
    """The header of a segment for the test's database, before its UUID is known."""
    return SegmentHeader(address=address_of("default"))


@pytest.fixture
def written(spool_dir: Path, own_header: SegmentHeader) -> Iterator[WrittenSegment]:
    """An empty segment of this process."""
    segment = WrittenSegment(prepared_directory(spool_dir), own_header)
    yield segment
    segment.close()
