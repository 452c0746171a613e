"""A host whose processes end in every way there is."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.exits.processes import Host
from tests.factories import make_organization, make_rate


@pytest.fixture
def host(transactional_db: None) -> Iterator[Host]:
    """The host of the organization acme, on the test database."""
    make_rate()
    make_organization()
    folder = Path(tempfile.mkdtemp(prefix="costtrack-exits-", dir="/tmp"))  # a socket's path must be short
    host = Host(folder=folder)
    yield host
    host.kill()
    shutil.rmtree(folder, ignore_errors=True)
