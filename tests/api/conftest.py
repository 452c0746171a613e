"""Who asks."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client


@pytest.fixture
def staff(db: None) -> Client:
    """A client that is logged in as staff."""
    return _client(is_staff=True)


@pytest.fixture
def somebody(db: None) -> Client:
    """A client that is logged in, but not as staff."""
    return _client(is_staff=False)


def _client(**fields: Any) -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_user(username="person", **fields))
    return client
