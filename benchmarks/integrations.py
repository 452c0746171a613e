"""What the integrations cost the caller: each client's call, metered against bare, in the same run.

    overhead  of each wrapper per call, p50: <= 150 µs on top of the bare client

Run it as `python benchmarks/integrations.py [--only WORDS]`; all cases take about 2 minutes. It starts PostgreSQL 18
from the wheel of the `dev` extra unless DATABASE_URL names a PostgreSQL database that it may fill. All the while the
flusher books what is metered, from a thread of this process, as it does in life. The answers come from memory: what
is left is the client's own work. Bare and metered calls are made in turns, one by one; a figure is the median, over
runs of 60 of each, of the difference of their medians. Exit status 1 if a bar is missed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gateway_cases import gateway_cases, wait_for_litellm
from integration_cases import Case, cases
from timing import LEAST_PAIRS, Pairs, in_turns, table

BAR_US = 150
CALLS = 60
"""Single calls of one run."""


def main() -> int:
    """Start a server, measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=21, help=f"runs per figure, at least {LEAST_PAIRS}")
    parser.add_argument("--only", default="", help="measure only the cases whose name has this in it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="costtrack-integrations-") as folder:
        os.environ["COSTTRACK_SPOOL_DIR"] = str(Path(folder) / "spool")
        if os.environ.get("DATABASE_URL"):
            return _run(options)
        from tests.servers import PostgresServer

        with PostgresServer(18, has_fsync=True) as server:
            os.environ["DATABASE_URL"] = server.url
            return _run(options)


def _run(options: argparse.Namespace) -> int:
    _prepare()
    from costtrack import attribute
    from costtrack.budgets.known import forget_budgets
    from costtrack.metering import failures, spool

    rows, missed = [], []
    try:
        with attribute(organization="acme", project="search", agent="reranker", thread_id="thread-12345"):
            for case in (*cases(), *gateway_cases()):
                if options.only in case.name:
                    over_us, row = _measured(case, options.pairs)
                    rows.append(row)
                    if over_us > BAR_US:
                        missed.append(case.name)
        wait_for_litellm()
    finally:
        spool.stop(60)
        forget_budgets(10)
    print(table(("p50 of a call, µs", "bare", "metered", "overhead", "least .. most", f"bar {BAR_US}"), rows))
    if failures():
        print(f"LOST: {failures()} events")
    print(f"MISSED: {', '.join(missed)}" if missed else "all bars held")
    return 1 if missed or failures() or not rows else 0


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


def _measured(case: Case, pairs: int) -> tuple[float, tuple[str, ...]]:
    """Microseconds on top of the bare call, and the line of the table."""
    found = in_turns(case.metered, case.bare, runs=pairs, calls=CALLS)
    over = _differences_us(found)
    verdict = "held" if median(over) <= BAR_US else "MISSED"
    bare, metered = median(found.theirs) * 1e6, median(found.ours) * 1e6
    spread = f"{min(over):.0f} .. {max(over):.0f}"
    return median(over), (case.name, f"{bare:.0f}", f"{metered:.0f}", f"{median(over):.0f}", spread, verdict)


def _differences_us(pairs: Pairs) -> list[float]:
    return [(ours - theirs) * 1e6 for ours, theirs in zip(pairs.ours, pairs.theirs, strict=True)]


if __name__ == "__main__":
    sys.exit(main())
