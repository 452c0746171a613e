"""How long reports, forecasts, what-ifs, recommendations and runs take for the largest organization of 10M ledger rows.

The ledger is that of `rest.py`; each is asked in this process, as commands and jobs do, with one connection. Bars, for
the p95:

    from summaries, and reports     300 ms: they are parts of pages, and that is a page's bar (`dashboard.py`)
    one run, and 20 of them         25 ms and 100 ms: an answer over REST, and a part of a page
    a forecast with an empty cache  1,000 ms: whoever asks first waits so once in a quarter of an hour
    from the ledger                 5,000 ms, all statements together: half of READ_TIMEOUT_MS, past which REST breaks
                                    off a single one; a report of all organizations likewise, which is a command's

What reads the ledger is about the 30 days up to the last one with rows.

Run it as `python benchmarks/reports.py [--rows N] [--times N]`; it starts PostgreSQL 18 from the wheel of the `dev`
extra, without fsync, unless DATABASE_URL names a PostgreSQL database that it may fill, or has filled before. Exit
status 1 if a bar is missed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rest_database import database
from rest_ingest import make_budgets
from rest_rows import FEATURES, Filled, fill
from timing import table

PAGE_MS, RUN_MS, RUNS_MS, FIRST_MS, LEDGER_MS = 300, 25, 100, 1_000, 5_000
RUNS = 20
LEAST_TIMES = 20
SECONDS_EACH = 30
"""After so long what is slow is asked no more, but three times at least."""


@dataclass(frozen=True, slots=True)
class Question:
    """Something that is asked again and again."""

    title: str
    bar_ms: int
    ask: Callable[[], object]


def main() -> int:
    """Start a server, fill it, measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000, help="ledger rows to fill an empty database with")
    parser.add_argument("--times", type=int, default=40, help="how often each is asked (at least 20)")
    options = parser.parse_args()
    if options.times < LEAST_TIMES:
        parser.error(f"{options.times} times are too few for a p95; take at least {LEAST_TIMES}.")
    with database():
        return _run(options)


def _run(options: argparse.Namespace) -> int:
    filled = fill(options.rows, features=FEATURES)
    print(f"ledger: {filled.rows:,} rows; {filled.organization.slug} has {filled.own_rows:,} of them", flush=True)
    make_budgets(filled.organization)
    missed, rows = 0, []
    for question in (*_from_summaries(filled), *_from_the_ledger(filled), *_runs(filled)):
        seconds = _measured(question.ask, times=options.times)
        p95 = seconds[(len(seconds) * 95 - 1) // 100] * 1000
        missed += p95 > question.bar_ms
        verdict = "ok" if p95 <= question.bar_ms else "MISSED"
        figures = (f"{statistics.median(seconds) * 1000:.1f}", f"{p95:.1f}", f"{question.bar_ms:,}")
        rows.append((question.title, *figures, f"{len(seconds)}", verdict))
    print(table(("", "p50 ms", "p95 ms", "bar", "answers", ""), rows))
    print("all bars held" if not missed else f"{missed} bar(s) MISSED")
    return 1 if missed else 0


def _measured(ask: Callable[[], object], *, times: int) -> list[float]:
    """Seconds of each answer, the shortest first; it is asked once before."""
    ask()
    taken: list[float] = []
    began = time.perf_counter()
    while len(taken) < times and (len(taken) < 3 or time.perf_counter() - began < SECONDS_EACH):
        started = time.perf_counter()
        ask()
        taken.append(time.perf_counter() - started)
    return sorted(taken)


def _from_summaries(filled: Filled) -> list[Question]:
    from django.core.cache import cache

    from costtrack.reporting.forecast import forecast
    from costtrack.reporting.full_report import full_report
    from costtrack.reporting.html_report import html_report
    from costtrack.reporting.markdown import markdown_report
    from costtrack.reporting.report import ReportKind

    own, zone, now = filled.organization, filled.organization.zone_history(), datetime.now(UTC)

    def report(kind: ReportKind, render: Callable[[Any], object], *, of: Any = own) -> Callable[[], object]:
        return lambda: render(full_report(kind, zone.day_of(now), zone=zone, now=now, organization=of))

    def first_forecast() -> object:
        cache.clear()
        return forecast(own, at=now)

    return [
        Question("forecast of the month, empty cache", FIRST_MS, first_forecast),
        Question("forecast of the month", PAGE_MS, lambda: forecast(own, at=now)),
        *(
            Question(f"{kind} report, {name}", PAGE_MS, report(kind, render))
            for kind in ReportKind
            for name, render in (("Markdown", markdown_report), ("HTML", html_report))
        ),
        Question("monthly report, all organizations", LEDGER_MS, report(ReportKind.MONTHLY, markdown_report, of=None)),
    ]


def _from_the_ledger(filled: Filled) -> list[Question]:
    from costtrack.reporting.recommendations import recommendations
    from costtrack.reporting.what_if.ask import what_if
    from costtrack.reporting.what_if.comparison import ReadFrom

    own, start = filled.organization, filled.end - timedelta(days=30)

    def known_rates() -> None:
        assert what_if(start=start, end=filled.end, organization=own).read_from is ReadFrom.LEDGER

    def another_model() -> None:
        # One call of a hundred has no price, so that summaries do not suffice.
        found = what_if(start=start, end=filled.end, organization=own, model="gpt-4o-mini", provider="openai")
        assert found.read_from is ReadFrom.LEDGER

    def recommended() -> None:
        assert recommendations(own, start=start, end=filled.end)

    return [
        Question("what-if on another model, 30 days", LEDGER_MS, another_model),
        Question("what-if by the rates known now, 30 days", LEDGER_MS, known_rates),
        Question("recommendations, 30 days", LEDGER_MS, recommended),
    ]


def _runs(filled: Filled) -> list[Question]:
    from costtrack.models import UsageRun
    from costtrack.reporting.variance import run_variance, variances_of

    runs = list(UsageRun.objects.filter(organization=filled.organization).order_by("id")[:RUNS]) or _make_runs(filled)
    return [
        Question("variance of a run", RUN_MS, lambda: run_variance(runs[0])),
        Question(f"variances of {len(runs)} runs", RUNS_MS, lambda: variances_of(runs)),
    ]


def _make_runs(filled: Filled) -> list[Any]:
    """Runs that the ledger's rows name already, each with a plan."""
    from costtrack import record_plan
    from costtrack.models import ResourceUsage, UsageRun

    own, at = filled.organization, datetime.now(UTC)
    day = filled.end - timedelta(days=1)
    rows = ResourceUsage.objects.filter(organization=own, day=day).exclude(run="").order_by("id")
    names = list(dict.fromkeys(rows.values_list("run", flat=True)[: 40 * RUNS]))[:RUNS]
    plan = record_plan("benchmark", organization=own.slug, estimated_calls=10, estimated_cost_usd="0.1")
    return UsageRun.objects.bulk_create(
        [
            UsageRun(
                organization=own,
                run_id=name,
                name="benchmark",
                run_index=number,
                plan_id=plan.plan_id,
                snapshot_id=plan.pk,
                started_at=at,
            )
            for number, name in enumerate(names, start=1)
        ]
    )


if __name__ == "__main__":
    raise SystemExit(main())
