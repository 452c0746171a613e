"""How long the answers about one organization take, in a ledger of 10M rows, by the ORM and over REST.

Whose answers: those of the largest organization, with 17 % of the rows. Its month is the last whole one, which is as
long as a month to date gets. Over REST a gunicorn worker of its own answers one client, who keeps the connection and
shows a key; the worker keeps its connection to the database, too, as README's checklist for production says. (Django's
default is a new one for each request, which takes 5 to 10 ms of a short one.)

Bars, from the design:

    month to date; its ten dearest projects, models    p99 <= 10 ms by the ORM, <= 25 ms over REST
    90 days, day by day and model                      p99 <= 25 ms by the ORM, <= 50 ms over REST
    POST usage, 1,000 events a request                 >= 0.25 x the rate of the ledger's writer (record_events)

The other lines have no bar and are for information. Of the batches, each side has its own ready before the clock
starts, as JSON or as events; the figure is the median of the pairwise ratios of interleaved pairs. The table of
idempotency keys is empty at first, which makes the writer, and so the bar, faster.

Run it as `python benchmarks/rest.py [--rows N] [--requests N] [--pairs N] [--features N]`; it starts PostgreSQL 18 from
the wheel of the `dev` extra, without fsync, unless DATABASE_URL names a PostgreSQL database that it may fill, or has
filled before. Ten million rows take 6 GB and some minutes. Exit status 1 if a bar is missed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rest_database import database
from rest_ingest import compare_ingest, make_budgets
from rest_rows import FEATURES, Filled, fill
from rest_site import Line, Site, serving
from timing import table

LEAST_REQUESTS = 300
MONTH_BARS = {"ORM": 10, "REST": 25}
TREND_BARS = {"ORM": 25, "REST": 50}
"""Milliseconds, of which 99 of 100 answers take no more."""


def main() -> int:
    """Start a server, fill it, measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000, help="ledger rows to fill an empty database with")
    parser.add_argument("--requests", type=int, default=400, help="answers per line (at least 300)")
    parser.add_argument("--pairs", type=int, default=21, help="interleaved pairs of batches (at least 11)")
    parser.add_argument("--features", type=int, default=FEATURES, help="endpoints of each project")
    options = parser.parse_args()
    if options.requests < LEAST_REQUESTS:
        parser.error(f"{options.requests} answers are too few for a p99; take at least {LEAST_REQUESTS}.")
    with database():
        return _run(options)


def _run(options: argparse.Namespace) -> int:
    filled = fill(options.rows, features=options.features)
    share = filled.own_rows / filled.rows
    print(f"ledger: {filled.rows:,} rows; {filled.organization.slug} has {filled.own_rows:,} of them ({share:.0%})")
    asked = Asked(filled)
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), token=_token_of(filled.organization)) as site:
        lines = [*_by_the_orm(asked), *_over_rest(asked, site)]
        missed = _print_lines([line.measured(options.requests) for line in lines])
        missed += compare_ingest(filled.organization, site, options.pairs)
        make_budgets(filled.organization)
        _print_lines([site.line("budgets/status, 7 budgets", "budgets/status").measured(options.requests)])
    print("all bars held" if not missed else f"{missed} bar(s) MISSED")
    return 1 if missed else 0


def _print_lines(lines: list[Line]) -> int:
    """A table of them; how many bars are missed."""
    rows = [
        (
            f"{line.side:<4}  {line.title}",
            f"{statistics.median(line.seconds) * 1000:.1f}",
            f"{line.p99_ms:.1f}",
            f"{len(line.seconds)}",
            "" if line.bar is None else f"{line.bar}",
            "" if line.bar is None else "ok" if line.held else "MISSED",
        )
        for line in lines
    ]
    print(table(("", "p50 ms", "p99 ms", "answers", "bar", ""), rows), flush=True)
    return sum(1 for line in lines if not line.held)


class Asked:
    """The periods that are asked about."""

    def __init__(self, filled: Filled) -> None:
        from costtrack.domain.periods import DayRange, month_range

        self.organization = filled.organization
        self.quarter = DayRange(filled.start, filled.end)
        """All days with rows."""
        self.month = month_range(month_range(filled.end).start - timedelta(days=1))
        """The last whole one before the day after the last one with rows."""

    @property
    def in_month(self) -> str:
        """As parameters."""
        return f"from={self.month.start}&to={self.month.end}"

    @property
    def in_quarter(self) -> str:
        """Likewise."""
        return f"from={self.quarter.start}&to={self.quarter.end}"


def _by_the_orm(asked: Asked) -> list[Line]:
    from costtrack.reporting.costs import costs_by, summaries_of, top_agents, totals
    from costtrack.reporting.summary import Granularity, SummaryQuestion, cost_summary

    own = [asked.organization]
    trend = SummaryQuestion(
        days=asked.quarter, group_by=("model",), granularity=Granularity.DAY, figures=("cost", "calls")
    )
    bars = {"month": MONTH_BARS["ORM"], "trend": TREND_BARS["ORM"]}

    def line(title: str, ask: Callable[[], object], bar: str = "") -> Line:
        return Line(side="ORM", title=title, ask=ask, bar=bars.get(bar))

    return [
        line("month to date", lambda: totals(asked.month, organizations=own), "month"),
        line("its top 10 projects", lambda: costs_by("project", asked.month, organizations=own, limit=10), "month"),
        line("its top 10 models", lambda: costs_by("model", asked.month, organizations=own, limit=10), "month"),
        line("its top 10 agents", lambda: top_agents(asked.month, organizations=own)),
        line(
            "90 days by model",
            lambda: cost_summary(trend, summaries_of(asked.quarter, by=("model",), organizations=own)),
            "trend",
        ),
    ]


def _over_rest(asked: Asked, site: Site) -> list[Line]:
    month, trend = MONTH_BARS["REST"], TREND_BARS["REST"]
    by_day = f"summary?{asked.in_quarter}&group_by=model&granularity=day"
    in_month = f"summary?{asked.in_month}"
    etag = site.get(in_month).headers["ETag"]
    first = site.json("usage?page_size=1")["results"][0]["id"]
    days = f"period_start={asked.month.start}&period_end={asked.month.end}"
    return [
        site.line("summary, month to date", in_month, bar=month),
        site.line("summary, its top 10 projects", f"{in_month}&group_by=project&limit=10", bar=month),
        site.line("summary, its top 10 models", f"{in_month}&group_by=model&limit=10", bar=month),
        site.line("summary, its top 10 agents", f"{in_month}&group_by=agent&limit=10"),
        site.line("summary, 90 days by model", f"{by_day}&figures=cost,calls", bar=trend),
        site.line("the same with all figures", by_day),
        site.line("summary, 90 days by model as one", f"summary?{asked.in_quarter}&group_by=model"),
        site.line("summary, month to date, 304", in_month, headers={"If-None-Match": etag}, status=304),
        site.line("monthly", f"monthly?target_date={asked.month.start}"),
        site.line("daily", f"daily?target_date={asked.month.start}"),
        site.line("top-conversations, of the month", f"top-conversations?{days}"),
        site.line("usage, first page", "usage"),
        site.line("usage, a page far back", site.page_after("usage?page_size=1000", pages=20)),
        site.line("usage/{id}", f"usage/{first}"),
    ]


def _token_of(organization: Any) -> str:
    from costtrack.access.keys import create_key

    now = datetime.now(UTC)
    return create_key(organization=organization, name="benchmark", can_ingest=True, can_read=True, now=now).token


if __name__ == "__main__":
    raise SystemExit(main())
