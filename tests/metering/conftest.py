"""What the tests of metering share."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from costtrack.testing import capture_usage


@pytest.fixture
def no_stream_left() -> Iterator[None]:
    """Streams that the test dropped are recorded in memory: later they would reach another test's database."""
    yield
    with capture_usage():
        gc.collect()
