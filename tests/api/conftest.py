"""Who asks."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.api.callers import person


@pytest.fixture
def superuser(db: None) -> Client:
    """A client that is logged in as a superuser."""
    return person("root", is_superuser=True)


@pytest.fixture
def somebody(db: None) -> Client:
    """A client that is logged in, but belongs to no organization."""
    return person("somebody")
