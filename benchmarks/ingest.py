"""How fast the ledger writer books batches of 1,000, against a bare COPY of the same rows.

Both sides write to the same partitions with the same indexes, constraints and triggers, each batch committed. The
rows of the bare COPY are encoded beforehand; ours starts from priced events. Pairs are interleaved; the figure is
the median of the pairwise ratios of rates (ours / bare). Bars, from the design:

    keys + ledger   >= 0.50 of the bare COPY
    whole           >= 0.35 of it (realistic skew), >= 0.30 (uniform skew)
    whole           >= 10,000 rows/s
    4 writers       >= 1.3 x one writer, no deadlock

Extraction and pricing are outside these clocks. Without a bar, for information: the way of the flusher, from a segment
on disk (read, decode, price) into the ledger.

Run it as `python benchmarks/ingest.py [--rows N] [--pairs N]`; it starts PostgreSQL 18 from the wheel of the `dev`
extra unless DATABASE_URL names a PostgreSQL database that it may fill. Exit status 1 if a bar is missed.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

BATCH = 1000
MODELS = ["gpt-4o", "gpt-4o-mini", "claude-3-5-sonnet-20241022", "claude-3-haiku-20240307", "o3-mini"]


def main() -> int:
    """Start a server, fill it, measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="ledger rows there are before measuring")
    parser.add_argument("--pairs", type=int, default=21, help="interleaved pairs per figure (at least 11)")
    options = parser.parse_args()
    if os.environ.get("DATABASE_URL"):
        return _run(options.rows, options.pairs)
    from tests.servers import PostgresServer

    with PostgresServer(18, has_fsync=True) as server:
        os.environ["DATABASE_URL"] = server.url
        return _run(options.rows, options.pairs)


def _run(rows: int, pairs: int) -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    import django

    django.setup()
    from django.conf import settings

    settings.DEBUG = False  # Django keeps every statement in memory otherwise
    _prepare(rows)
    failures = 0
    for skew, bar in (("realistic", 0.35), ("uniform", 0.30)):
        traffic = Traffic(skew)
        failures += _compare(f"keys + ledger, {skew} skew", traffic, pairs, bar=0.50, with_summaries=False)
        failures += _compare(f"whole transaction, {skew} skew", traffic, pairs, bar=bar, with_summaries=True)
    failures += _four_writers(max(5, pairs // 2))
    _from_disk(pairs)
    print("all bars held" if not failures else f"{failures} bar(s) MISSED")
    return 1 if failures else 0


def _prepare(rows: int) -> None:
    from django.core.management import call_command
    from django.db import connection

    from costtrack.models import Agent, Organization, Project

    call_command("migrate", verbosity=0)
    call_command("load_rates", verbosity=0, stdout=io.StringIO())
    organizations = [Organization(slug=f"org-{number}") for number in range(200)]
    Organization.objects.bulk_create(organizations, ignore_conflicts=True)
    organizations = list(Organization.objects.filter(slug__startswith="org-"))
    Project.objects.bulk_create(
        [Project(organization=one, slug=f"p{number}") for one in organizations for number in range(10)],
        ignore_conflicts=True,
    )
    projects = list(Project.objects.filter(organization__in=organizations))
    Agent.objects.bulk_create(
        [Agent(project=one, slug=f"a{number}") for one in projects for number in range(10)], ignore_conflicts=True
    )
    started = time.perf_counter()
    traffic = Traffic("realistic")
    # One real batch is the pattern; the server multiplies it into the rows to start from.
    _write(traffic.batch(), with_summaries=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT column_name FROM information_schema.columns WHERE table_name='costtrack_resourceusage'")
        others = [f'"{row[0]}"' for row in cursor.fetchall() if row[0] not in ("id", "day")]
        copies = max(1, rows // BATCH)
        cursor.execute(
            f"INSERT INTO costtrack_resourceusage (day, {', '.join(others)}) "
            f"SELECT day - (n %% 60), {', '.join(others)} "
            "FROM costtrack_resourceusage, generate_series(1, %s) AS n WHERE kind = 'usage' LIMIT %s",
            [copies, rows],
        )
        cursor.execute(
            "INSERT INTO costtrack_usagekey (organization_id, key_hash, fingerprint, usage_id, day) "
            "SELECT organization_id, gen_random_uuid(), gen_random_uuid(), id, day FROM costtrack_resourceusage"
        )
        cursor.execute("ANALYZE")
        cursor.execute("SELECT count(*) FROM costtrack_resourceusage")
        print(f"ledger: {cursor.fetchone()[0]:,} rows, filled in {time.perf_counter() - started:.0f} s")


class Traffic:
    """Seeded events: zipf-like over organizations, projects and agents, or uniform."""

    def __init__(self, skew: str) -> None:
        """`skew` is "realistic" or "uniform"."""
        self.random = random.Random(20261124)
        self.skew = skew

    def _pick(self, count: int) -> int:
        if self.skew == "uniform":
            return self.random.randrange(count)
        return min(int(self.random.paretovariate(1.1)) - 1, count - 1)

    def batch(self, size: int = BATCH) -> list[Any]:
        """`size` staged usages: attributed, priced and hashed, ready to be written."""
        from costtrack.conf import settings
        from costtrack.domain.events import Attribution, UsageEvent
        from costtrack.domain.tokens import TokenUsage
        from costtrack.metering.ledger.record import stage_events
        from costtrack.pricing.ratebook import current_ratebook

        now = datetime.now(UTC)
        events = []
        for _ in range(size):
            tokens = TokenUsage(input_tokens=self.random.randint(50, 8000), output_tokens=self.random.randint(1, 900))
            events.append(
                UsageEvent(
                    idempotency_key=str(uuid.UUID(int=self.random.getrandbits(128) ^ time.time_ns())),
                    occurred_at=now - timedelta(seconds=self.random.randrange(3600)),
                    attribution=Attribution(
                        organization=f"org-{self._pick(200)}",
                        project=f"p{self._pick(10)}",
                        agent=f"a{self._pick(10)}",
                        endpoint=f"feature-{self._pick(8)}",
                        thread_id=f"thread-{self.random.randrange(100_000)}",
                        request_id=f"{self.random.getrandbits(64):016x}",
                    ),
                    resource_type="llm_tokens",
                    amount=Decimal(tokens.total_tokens),
                    tokens=tokens,
                    model=MODELS[self._pick(len(MODELS))],
                    latency_ms=self.random.randrange(5000),
                    metadata={"finish_reason": "stop", "temperature": "0.2"},
                )
            )
        return stage_events(events, book=current_ratebook(), using=settings.database)


def _write(batch: Sequence[Any], *, with_summaries: bool) -> None:
    """Book a staged batch by the writer's own steps."""
    from costtrack.metering.ledger import record
    from costtrack.pricing.ratebook import current_ratebook

    book = current_ratebook()
    if with_summaries:
        results = record.write_staged(list(enumerate(batch)), book=book, alias="default")
        if any(result.status != "recorded" for result in results.values()):
            raise SystemExit("The benchmark's events were not recorded.")
        return
    pending_rows = record.pending_rows
    record.pending_rows = lambda parts: []
    try:
        record.write_staged(list(enumerate(batch)), book=book, alias="default")
    finally:
        record.pending_rows = pending_rows


def _bare_copy(batch: Sequence[Any]) -> Callable[[], None]:
    """The same rows, encoded beforehand: a function that only COPYs and commits."""
    from django.db import connection, transaction

    from costtrack.metering.ledger.backends import LEDGER_TABLE, copy_statement, copy_text
    from costtrack.metering.ledger.rows import LEDGER_COLUMNS

    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT nextval(pg_get_serial_sequence('{LEDGER_TABLE}', 'id')) FROM generate_series(1, %s)", [len(batch)]
        )
        for one, (usage_id,) in zip(batch, cursor.fetchall(), strict=True):
            one.usage_id = usage_id
    text = copy_text([(one.usage_id, *one.values) for one in batch]).encode()

    def copy() -> None:
        with (
            transaction.atomic(),
            connection.cursor() as cursor,
            cursor.copy(copy_statement(LEDGER_TABLE, LEDGER_COLUMNS)) as stream,
        ):
            stream.write(text)

    return copy


def _compare(title: str, traffic: Traffic, pairs: int, *, bar: float, with_summaries: bool) -> int:
    bare_seconds, our_seconds = [], []
    for pair in range(pairs + 1):
        bare, ours = _bare_copy(traffic.batch()), traffic.batch()

        def timed_bare(bare: Callable[[], None] = bare) -> None:
            bare_seconds.append(_seconds(bare))

        def timed_ours(ours: Sequence[Any] = ours) -> None:
            our_seconds.append(_seconds(lambda: _write(ours, with_summaries=with_summaries)))

        for side in (timed_bare, timed_ours) if pair % 2 else (timed_ours, timed_bare):
            side()
    bare_seconds, our_seconds = bare_seconds[1:], our_seconds[1:]
    ratio = statistics.median(bare / ours for bare, ours in zip(bare_seconds, our_seconds, strict=True))
    rate = BATCH / statistics.median(our_seconds)
    held = ratio >= bar and (rate >= 10_000 or not with_summaries)
    print(
        f"{title:<36} bare COPY {BATCH / statistics.median(bare_seconds):>9,.0f} rows/s   "
        f"ours {rate:>9,.0f} rows/s   ratio {ratio:.2f} (bar {bar:.2f})   {'ok' if held else 'MISSED'}"
    )
    return 0 if held else 1


def _four_writers(batches: int) -> int:
    one = _writers_rate(1, batches)
    rounds = []
    for _ in range(5):
        one = _writers_rate(1, batches)
        four = _writers_rate(4, batches)
        rounds.append((one, four))
    ratio = statistics.median(four / one for one, four in rounds)
    held = ratio >= 1.3
    print(
        f"{'4 writers at once':<36} one       {statistics.median(o for o, _ in rounds):>9,.0f} rows/s   "
        f"four {statistics.median(f for _, f in rounds):>9,.0f} rows/s   ratio {ratio:.2f} (bar 1.30)   "
        f"{'ok' if held else 'MISSED'}"
    )
    return 0 if held else 1


def _writers_rate(writers: int, batches: int) -> float:
    """Rows per second of `writers` processes that write `batches` each."""
    from django.db import connections

    connections.close_all()  # before the fork: a child that closed its copy would end the parent's session
    children = []
    reads, writes = zip(*[os.pipe() for _ in range(writers)], strict=True)
    go_read, go_write = os.pipe()
    for number in range(writers):
        child = os.fork()
        if child == 0:
            os.close(go_write)
            traffic = Traffic("realistic")
            traffic.random.seed(os.urandom(8))
            staged = [traffic.batch() for _ in range(batches)]
            os.write(writes[number], b"r")
            os.read(go_read, 1)
            code = 0
            try:
                for batch in staged:
                    _write(batch, with_summaries=True)
            except Exception as error:  # reported to the parent, which judges
                print(f"writer failed: {error}", file=sys.stderr)
                code = 1
            os._exit(code)
        children.append(child)
    os.close(go_read)
    for read in reads:
        os.read(read, 1)
    started = time.perf_counter()
    os.close(go_write)
    failed = [child for child in children if os.waitpid(child, 0)[1]]
    seconds = time.perf_counter() - started
    if failed:
        raise SystemExit(f"{len(failed)} writer(s) failed; see above.")
    for descriptor in (*reads, *writes):
        os.close(descriptor)
    return writers * batches * BATCH / seconds


def _from_disk(batches: int) -> None:
    """What the flusher does with full segments, alone in its process."""
    from costtrack.metering.spool.appender import Appender
    from costtrack.metering.spool.booking import Booker
    from costtrack.metering.spool.counters import Counters
    from costtrack.metering.spool.dead_letters import DeadLetters
    from costtrack.metering.spool.header import address_of

    traffic = Traffic("realistic")
    traffic.random.seed(1)  # other keys than the batches before
    rates = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        address, counters, letters = address_of("default"), Counters(place), DeadLetters(place)
        appender = Appender(place, address=address)
        booker = Booker(using="default", address=address, counters=counters, dead_letters=letters, wait=_unexpected)
        for _ in range(batches + 1):
            appender.append_all([one.event for one in traffic.batch()])
        started = time.perf_counter()
        for segment in appender.segments():
            for booked in booker.book_segment(segment):
                rates.append(len(booked.recorded) / (time.perf_counter() - started))
                started = time.perf_counter()
        appender.close()
    print(f"{'segment on disk to ledger':<36} {statistics.median(rates[1:]):>9,.0f} events/s in batches, no bar")


def _unexpected(events: Sequence[Any]) -> None:
    raise SystemExit(f"{len(events)} events would wait for their organization.")


def _seconds(action: Callable[[], None]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


if __name__ == "__main__":
    raise SystemExit(main())
