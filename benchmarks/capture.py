"""What metering costs: the caller of a metered call, and the memory of the process.

    caller  an event built and spooled, p50: <= 4 x (orjson of the same bytes + one write), see
            docs/decisions/0009-callers-path.md; below it the least that Python can do, and whole calls
    insert  the same, p50: <= 1/10 of one INSERT of an equivalent ledger row by psycopg
    memory  of a process that meters 5,000 events/s into the ledger: grows by <= 1 MiB a minute over 10 minutes

Run it as `python benchmarks/capture.py [--part caller|insert|memory]`; all parts together take 12 minutes. It starts
PostgreSQL 18 from the wheel of the `dev` extra unless DATABASE_URL names a PostgreSQL database that it may fill. All
the while the flusher books what is metered, from a thread of this process, as it does in life. Exit status 1 if a bar
is missed.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from capture_memory import is_memory_flat
from capture_yardsticks import Call, least_in_python, orjson_and_write
from timing import LEAST_PAIRS, MedianCall, paired, table

CALLS = 1000
"""Single calls of one run; INSERTs are slower."""
INSERTS = 100
METADATA = {"temperature": 0.2, "finish_reason": "stop", "prompt_version": "v12"}


def main() -> int:
    """Start a server, measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=["caller", "insert", "memory"], help="measure only this (default: all three)")
    parser.add_argument("--pairs", type=int, default=21, help=f"interleaved pairs per figure, at least {LEAST_PAIRS}")
    parser.add_argument("--minutes", type=float, default=10, help="of the memory part, after warming up (default: 10)")
    parser.add_argument("--warm-up", type=float, default=60, help="seconds before the memory is read (default: 60)")
    parser.add_argument("--rate", type=int, default=5000, help="events per second of the memory part (default: 5000)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="costtrack-capture-") as folder:
        os.environ["COSTTRACK_SPOOL_DIR"] = str(Path(folder) / "spool")
        if os.environ.get("DATABASE_URL"):
            return _run(options, Path(folder))
        from tests.servers import PostgresServer

        with PostgresServer(18, has_fsync=True) as server:
            os.environ["DATABASE_URL"] = server.url
            return _run(options, Path(folder))


def _run(options: argparse.Namespace, folder: Path) -> int:
    _prepare()
    from costtrack.metering import spool

    calls = _calls()
    parts: dict[str, Callable[[], bool]] = {
        "caller": lambda: _is_caller_fast(calls, folder, options.pairs),
        "insert": lambda: _is_faster_than_insert(calls, options.pairs),
        "memory": lambda: is_memory_flat(calls, minutes=options.minutes, warm_up=options.warm_up, rate=options.rate),
    }
    try:
        with _scope():
            missed = [name for name, part in parts.items() if options.part in (None, name) and not part()]
    finally:
        spool.stop(60)
    print(f"MISSED: {', '.join(missed)}" if missed else "all bars held")
    return 1 if missed else 0


def _prepare() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    from costtrack.models import Organization

    settings.DEBUG = False  # Django keeps every statement in memory otherwise
    call_command("migrate", verbosity=0)
    with open(os.devnull, "w") as nowhere:
        call_command("load_rates", verbosity=0, stdout=nowhere)
    Organization.objects.get_or_create(slug="acme")


def _calls() -> list[Call]:
    """What callers say of their calls; all different, as in life."""
    chance = random.Random(20261126)
    return [
        {
            "model": chance.choice(["gpt-4o", "gpt-4o-mini-2024-07-18", "gpt-4.1", "o3-mini"]),
            "provider": "openai",
            "input_tokens": chance.randint(1000, 9000),
            "output_tokens": chance.randint(1, 900),
            "cache_read_tokens": chance.randint(0, 800),
            "latency_ms": chance.randint(100, 9000),
        }
        for _ in range(CALLS)
    ]


def _scope() -> Any:
    """Who calls, as a middleware and an agent's code say it around all calls."""
    from costtrack import attribute

    return attribute(
        organization="acme",
        project="search",
        agent="reranker",
        thread_id="thread-12345",
        endpoint="summarize",
        request_id="5f0c1be07d4421aa",
        user="42",
        tags={"team": "growth"},
    )


def _build_and_append() -> Callable[[Call], None]:
    from costtrack.metering.events import build_event
    from costtrack.metering.spool import append

    def build_and_append(call: Call) -> None:
        append(build_event(**call))

    return build_and_append


def _is_caller_fast(calls: Sequence[Call], folder: Path, pairs: int) -> bool:
    """The caller's path, level by level, each against orjson and one write; the first level is judged."""
    import costtrack

    def record(call: Call) -> None:
        costtrack.record_usage(**call)

    def meter(call: Call) -> None:
        with costtrack.meter(model=call["model"], provider=call["provider"]) as metered:
            metered.set_usage(input_tokens=call["input_tokens"], output_tokens=call["output_tokens"])

    with_more = [{**call, "metadata": METADATA, "endpoint": "rerank"} for call in calls]
    levels: list[tuple[str, Callable[[Call], None], Sequence[Call], float | None]] = [
        ("build_event + spool append", _build_and_append(), calls, 4.0),
        ("  the least, unchecked", least_in_python(folder), calls, None),
        ("  with metadata and an endpoint", _build_and_append(), with_more, None),
        ("record_usage", record, calls, None),
        ("meter + set_usage", meter, calls, None),
    ]
    rows, is_met = [], True
    for title, ours, given, bar in levels:
        row, is_within = _compared(title, MedianCall(ours, given), orjson_and_write(given, folder), pairs, bar)
        rows.append(row)
        is_met &= is_within
    _print("The caller's path against orjson of the same bytes + one write", "orjson+write", pairs, rows)
    return is_met


def _is_faster_than_insert(calls: Sequence[Call], pairs: int) -> bool:
    """The judged level of the caller's path against one INSERT, prepared and committed by itself."""
    import psycopg

    from costtrack.metering.ledger.backends import LEDGER_TABLE, quoted
    from costtrack.metering.ledger.rows import LEDGER_COLUMNS

    rows = _ledger_rows(calls[:INSERTS])
    columns = LEDGER_COLUMNS[1:]  # the database gives the id
    places = ", ".join(["%s"] * len(columns))
    statement = f"INSERT INTO {LEDGER_TABLE} ({quoted(columns)}) VALUES ({places})"
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection, connection.cursor() as cursor:

        def insert(row: Sequence[Any]) -> None:
            cursor.execute(statement, row, prepare=True)

        title = "build_event + spool append"
        ours, theirs = MedianCall(_build_and_append(), calls), MedianCall(insert, rows)
        row, is_met = _compared(title, ours, theirs, pairs, 0.1)
    _print("The caller's path against one INSERT by psycopg", "INSERT", pairs, [row])
    return is_met


def _ledger_rows(calls: Sequence[Call]) -> list[tuple[Any, ...]]:
    from costtrack.metering.events import build_event
    from costtrack.metering.ledger.record import stage_events
    from costtrack.metering.ledger.rows import StagedUsage, ledger_values
    from costtrack.pricing.ratebook import current_ratebook

    rows = []
    for one in stage_events([build_event(**call) for call in calls], book=current_ratebook(), using="default"):
        assert isinstance(one, StagedUsage)
        now = datetime.now(UTC)
        rows.append(ledger_values(one.event, one.owner, one.priced, metadata={}, recorded_at=now, null=None))
    return rows


def _compared(
    title: str, ours: MedianCall[Any], theirs: MedianCall[Any], pairs: int, bar: float | None
) -> tuple[list[str], bool]:
    """A row of the table, and whether the bar holds."""
    measured = paired(ours, theirs, pairs=pairs)
    is_met = bar is None or measured.ratio <= bar
    verdict = "" if bar is None else "met" if is_met else "MISSED"
    row = [
        title,
        *(f"{median(side) * 1e6:.1f}" for side in (measured.ours, measured.theirs)),
        f"{measured.ratio:.3g}",
        f"{measured.spread[0]:.3g}-{measured.spread[1]:.3g}",
        *(f"{median(side.slow) * 1e6:.0f}" for side in (ours, theirs)),
        "" if bar is None else f"<= {bar:g}",
        verdict,
    ]
    return row, is_met


def _print(title: str, theirs: str, pairs: int, rows: Sequence[Sequence[str]]) -> None:
    print(f"{title}: medians of {pairs} interleaved pairs of runs, of a run its median call.")
    header = ("µs", "ours", theirs, "median ratio", "range", "ours p99", f"{theirs} p99", "bar", "")
    print(table(header, rows))


if __name__ == "__main__":
    sys.exit(main())
