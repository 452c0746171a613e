"""A Redis that a test may stop, pause and restart, and a look at what budgets keep there."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import redis

from costtrack.budgets.leases import amount_of, leased_by_counter, metric_of, sweep_leases
from costtrack.models import BudgetCounter, BudgetLease, Hold
from tests.factories import summed
from tests.servers import RedisServer


class OwnRedis(RedisServer):
    """One server, of one test."""

    @property
    def client(self) -> redis.Redis:
        """A plain client; to be closed."""
        return redis.Redis.from_url(self.url)

    def say(self, *words: Any) -> Any:
        """What it answers to a command."""
        client = self.client
        try:
            return client.execute_command(*words)
        finally:
            client.close()

    def kill(self) -> None:
        """SIGKILL; its folder stays, for `start`."""
        self._end(signal.SIGKILL)
        (self.folder / "redis.sock").unlink(missing_ok=True)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """It runs no more, and takes what it is sent all the same."""
        assert self.pid is not None
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def keys(self, kind: str) -> list[str]:
        """The keys of one kind (h, l, k, o, e) of all runs."""
        client = self.client
        try:
            return sorted(key.decode() for key in client.scan_iter(match=f"costtrack:*:{kind}:*"))
        finally:
            client.close()

    def fields(self, key: str) -> dict[str, str]:
        """A hash."""
        client = self.client
        try:
            return {name.decode(): value.decode() for name, value in client.hgetall(key).items()}
        finally:
            client.close()

    def wait_for(self, kind: str, number: int) -> None:
        """Until there are so many keys of a kind."""
        deadline = time.monotonic() + 10
        while len(self.keys(kind)) != number:
            assert time.monotonic() < deadline, self.keys(kind)
            time.sleep(0.01)


def assert_books_agree(server: OwnRedis | None = None) -> None:
    """Counters say what leases say; Redis has no more of a lease than remains of it; nothing is past its limit."""
    books = leased_by_counter(using="default")
    for counter in BudgetCounter.objects.select_related("budget"):
        assert summed(counter.leased) == books.get(counter.id, 0)
    if server is None:
        return
    in_redis: dict[UUID, int] = {}
    for key in server.keys("l"):
        in_redis[UUID(key.rpartition(":")[2])] = int(server.fields(key)["a"])
    ended = {hold.hex for hold in Hold.objects.values_list("id", flat=True)}  # whatever Redis was told of that
    for key in server.keys("h"):
        if key.rpartition(":")[2] in ended:
            continue
        for name, value in server.fields(key).items():
            if name.startswith("l:"):
                in_redis[UUID(name[2:])] = in_redis.get(UUID(name[2:]), 0) + int(value)
    leases = BudgetLease.objects.select_related("counter__budget").in_bulk()
    for lease_id, units in in_redis.items():
        remaining = summed(leases[lease_id].remaining) if lease_id in leases else Decimal(0)
        metric = metric_of(leases[lease_id]) if lease_id in leases else None
        assert units == 0 or (metric is not None and amount_of(units, metric) <= remaining)


def end_all_leases() -> int:
    """Their time is over; how many there were."""
    BudgetLease.objects.update(expires_at=datetime(2020, 1, 1, tzinfo=UTC))
    return sweep_leases(using="default")
