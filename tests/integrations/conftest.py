"""What the tests of all integrations share: one server on the wire."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integrations.wire.server import Wire, wire_server


@pytest.fixture(scope="session")
def running_wire() -> Iterator[Wire]:
    """The server, started when the first test needs it."""
    with wire_server() as wire:
        yield wire


@pytest.fixture
def wire(running_wire: Wire) -> Iterator[Wire]:
    """The server, without answers and requests of another test."""
    running_wire.reset()
    yield running_wire
    running_wire.reset()
