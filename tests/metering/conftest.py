"""What the tests of metering share."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from costtrack.metering import memory_log


@pytest.fixture
def no_stream_left() -> Iterator[None]:
    """Streams that the test dropped are recorded in memory: later they would reach another test's database."""
    yield
    with memory_log():
        gc.collect()
