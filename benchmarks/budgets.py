"""What a reservation costs, and whether limits hold, on PostgreSQL 18 from the wheel, with fsync.

Pairs are interleaved; a figure is the median of the pairwise ratios. Bars, from the design:

    reserve on a chain of 3, hold row included   >= 0.60 of the rate of a single-row UPDATE (synchronous_commit on, off)
    reserve while a flusher writes the counters  p99 <= 15 x its idle p99
    reserve on a chain of 3, Redis, 8 clients    >= 0.60 of the rate of the bare script (clients: processes)
    32 callers on one limit, settling included   exactly floor(limit / cost) admitted, nothing over the limit (both)

The reservation is the whole of it, from a list of budgets in memory to the answer: match, lock, take, write the hold,
commit. It writes three counters and a hold with three index entries. The connection may prepare, as the README advises
where no pooler stands between; of what is measured here only the reservation makes use of that. Its ratio to the ORM's
UPDATE of one counter is printed beside the judged one, for information.

docs/decisions/0013 has what was seen, and what each step on the way was worth.

Run it as `python benchmarks/budgets.py [--calls N] [--pairs N]`. Exit status 1 if a bar is missed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from budgets_redis import chain_in_redis
from budgets_reserving import CENT, WHO, begin, leave, reserve
from timing import MedianCall, paired

LIMIT, COST, FITTING = "9.99", "0.07", 142  # 142 x 0.07 = 9.94, 143 x 0.07 = 10.01


def main() -> int:
    """Start a server, measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=300, help="reservations per run (of each client, by Redis)")
    parser.add_argument("--pairs", type=int, default=21, help="interleaved pairs per figure (at least 11)")
    options = parser.parse_args()
    from tests.faults.databases import new_database, prepare_template
    from tests.servers import PostgresServer, RedisServer

    with tempfile.TemporaryDirectory() as folder, PostgresServer(18, has_fsync=True) as server:
        prepare_template(server, Path(folder) / "log")
        database = new_database(server)
        url = f"{database.url}?prepare_threshold=1"  # no pooler is between
        os.environ |= {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "project.settings"}
        begin(folder, makes_budgets=True)
        from django.conf import settings

        reserve()  # makes the counters
        missed = 0
        for is_synchronous in ("on", "off"):
            missed += _chain(is_synchronous, options.calls, options.pairs)
        missed += _beside_a_flusher(options.calls, options.pairs)
        missed += _flood(server, Path(folder), "database")
        with RedisServer() as redis:
            missed += chain_in_redis(redis.url, folder, options.calls, options.pairs)
            settings.COSTTRACK = {**settings.COSTTRACK, "BUDGET_BACKEND": "database"}
            missed += _flood(server, Path(folder), "redis", BUDGET_BACKEND="redis", REDIS_URL=redis.url)
        leave()
    print("all bars held" if not missed else f"{missed} bar(s) MISSED")
    return 1 if missed else 0


def _chain(is_synchronous: str, calls: int, pairs: int) -> int:
    """Against the bare UPDATE of one counter over the same cursor; and, for information, by the ORM."""
    from django.db import connection
    from django.db.models import F

    from costtrack.models import BudgetCounter

    counters = BudgetCounter.objects.filter(pk=BudgetCounter.objects.get(budget__name="whole").pk)
    sql = f"UPDATE costtrack_budgetcounter SET held = held + %s WHERE id = {counters.get().pk}"
    with connection.cursor() as cursor:
        cursor.execute(f"SET synchronous_commit = {is_synchronous}")

    def update(_: object) -> None:
        counters.update(held=F("held") + CENT)

    def bare_update(_: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql, [CENT])

    measured = paired(MedianCall(reserve, range(calls)), MedianCall(update, range(calls)), pairs=pairs)
    bare = paired(MedianCall(reserve, range(calls)), MedianCall(bare_update, range(calls)), pairs=pairs)
    with connection.cursor() as cursor:
        cursor.execute("RESET synchronous_commit")
    ratio = 1 / bare.ratio
    held = ratio >= 0.6
    print(
        f"{'reserve, chain of 3, synchronous_commit ' + is_synchronous:<46} "
        f"UPDATE {statistics.median(bare.theirs) * 1e6:>6,.0f} us   "
        f"reserve {statistics.median(bare.ours) * 1e6:>6,.0f} us   "
        f"rate {ratio:.2f} of it (bar 0.60)   {'ok' if held else 'MISSED'}   "
        f"(of the ORM's UPDATE, {statistics.median(measured.theirs) * 1e6:,.0f} us: {1 / measured.ratio:.2f})"
    )
    return 0 if held else 1


def _beside_a_flusher(calls: int, pairs: int) -> int:
    """The p99 of windows with and without a process that writes batches of 1,000 rows to the same counters."""
    idle, busy = MedianCall(reserve, range(calls)), MedianCall(reserve, range(calls))
    with _flusher() as flusher:

        def beside() -> float:
            flusher.go_on()
            try:
                return busy()
            finally:
                flusher.pause()

        measured = paired(beside, idle, pairs=pairs)
        batches = flusher.batches
    quiet, loud = (statistics.median(side.slow[1:]) for side in (idle, busy))
    ratio = statistics.median(ours / theirs for ours, theirs in zip(busy.slow[1:], idle.slow[1:], strict=True))
    held = ratio <= 15
    print(
        f"{'reserve beside a flusher (' + str(batches) + ' batches), p99':<46} idle   {quiet * 1e6:>6,.0f} us   "
        f"beside  {loud * 1e6:>6,.0f} us   {ratio:.1f} x (bar 15)   {'ok' if held else 'MISSED'}   "
        f"(p50 {statistics.median(measured.theirs) * 1e6:,.0f} and {statistics.median(measured.ours) * 1e6:,.0f} us)"
    )
    return 0 if held else 1


class _Flusher:
    """A process that writes batches while it may."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._may_write, self._rests = context.Event(), context.Event()
        self._batches = context.Value("q", 0)
        arguments = (self._may_write, self._rests, self._batches)
        self.process = context.Process(target=_write_batches, args=arguments, daemon=True)
        self.process.start()
        self._rests.wait()

    @property
    def batches(self) -> int:
        """How many it has written."""
        return int(self._batches.value)

    def go_on(self) -> None:
        """Write one batch after another."""
        before = self.batches
        self._may_write.set()
        while self.batches == before:
            if not self.process.is_alive():
                raise SystemExit("The flusher failed; see above.")
            time.sleep(0.001)

    def pause(self) -> None:
        """Rest, after the batch that it is in."""
        self._rests.clear()
        self._may_write.clear()
        self._rests.wait()


@contextmanager
def _flusher() -> Iterator[_Flusher]:
    flusher = _Flusher()
    try:
        yield flusher
    finally:
        flusher.process.kill()
        flusher.process.join()


def _write_batches(may_write: Any, rests: Any, batches: Any) -> None:
    """In a process of its own: batches of 1,000 calls by 10 endpoints, all in the three budgets."""
    import django

    django.setup()
    from costtrack.domain.events import Attribution, UsageEvent
    from costtrack.metering.ledger import record_events

    while True:
        if not may_write.is_set():
            rests.set()
            may_write.wait()
        events = [
            UsageEvent(
                idempotency_key=uuid4().hex,
                occurred_at=datetime.now(UTC),
                attribution=Attribution(organization="acme", endpoint=f"feature-{number % 10}", **WHO),
                resource_type="api_call",
                amount=Decimal(1),
                reported_cost_usd=CENT,
            )
            for number in range(1000)
        ]
        results = record_events(events, using="default")
        if any(result.status != "recorded" for result in results):
            raise SystemExit("The benchmark's events were not recorded.")
        with batches.get_lock():
            batches.value += 1


def _flood(server: Any, folder: Path, backend: str, **costtrack: str) -> int:
    """4 processes of 8 threads each take what they can of one limit; each call is settled by its process's flusher."""
    from tests.faults.budget_scene import BudgetScene, Checker
    from tests.faults.children import all_killed
    from tests.faults.databases import new_database

    place = folder / f"flood-{backend}"
    place.mkdir()
    with all_killed([]) as children:
        scene = BudgetScene(database=new_database(server), folder=place, children=children, costtrack=costtrack)
        scene.act("set_up", budgets=[{"name": "whole", "limit": LIMIT}])
        with Checker(scene).watching() as checker:
            calls = scene.flood(4, "--threads", 8, "--costs", COST, "--hectic")
        counter = scene.counter("whole")
    over = max(counter.spent + counter.held - Decimal(LIMIT), Decimal(0))
    held = not calls.errors and len(calls.admitted) == FITTING and not over and counter.spent == FITTING * Decimal(COST)
    print(
        f"{'32 callers on one limit, settled, ' + backend:<46} {len(calls.admitted)} of {FITTING} admitted, "
        f"{over} over the limit ({checker.looks} looks meanwhile)   {'ok' if held else 'MISSED'}"
    )
    return 0 if held else 1


if __name__ == "__main__":
    raise SystemExit(main())
