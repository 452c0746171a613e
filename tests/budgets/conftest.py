"""What tests of budgets begin with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import time_machine
from django.db import connection

from costtrack.budgets.backends.redis_connections import forget_redis
from costtrack.models import Organization
from tests.budgets.redis_scene import OwnRedis
from tests.factories import NOON, make_organization, make_rate

OF_POSTGRES = ["test_asked_directly.py", "test_kept_connection.py"]
"""About libpq, and about a connection that SQLite's processes do not keep."""
collect_ignore = [] if connection.vendor == "postgresql" else OF_POSTGRES


@pytest.fixture(autouse=True)
def at_noon() -> Iterator[None]:
    """It is the noon that `make_event` makes its calls at: their day's budgets are open."""
    with time_machine.travel(NOON, tick=True):
        yield


@pytest.fixture
def acme(db: None) -> Organization:
    """An organization, and the rate of test-model: an event of `make_event` costs 0.0045 USD."""
    make_rate()
    return make_organization()


@pytest.fixture
def server(settings) -> Iterator[OwnRedis]:
    """A Redis of this test's own, which admits."""
    with OwnRedis() as own:
        settings.COSTTRACK = {
            **settings.COSTTRACK,
            "BUDGET_BACKEND": "redis",
            "REDIS_URL": own.url,
            "REDIS_TIMEOUT_MS": 2000,
        }
        yield own
        forget_redis()


@pytest.fixture
def impatient(server: OwnRedis, settings) -> None:
    """Redis is waited for as long as by default."""
    settings.COSTTRACK = {**settings.COSTTRACK, "REDIS_TIMEOUT_MS": 100}
