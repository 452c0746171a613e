"""Run as a process: make the counters of acme's budgets, in each round at the same moment as the other processes."""

from __future__ import annotations

import argparse
import itertools
import time
from datetime import UTC, datetime
from pathlib import Path

import django


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("name")
    parser.add_argument("--rounds", type=int, default=0, help="0 = again and again, without waiting for a round")
    options = parser.parse_args()
    django.setup()
    from costtrack.budgets.book import loaded_book
    from costtrack.budgets.counters import counters_of, create_counters
    from costtrack.domain.budget_rules import SCOPE

    [budgets] = loaded_book({}, using="default").values()
    facts: dict[str, object] = dict.fromkeys(SCOPE, "")
    counters = counters_of(facts, datetime.now(UTC), budgets, budgets.rules)
    (options.folder / f"{options.name}.ready").touch()
    for number in range(options.rounds) if options.rounds else itertools.count():
        while options.rounds and not (options.folder / f"round-{number}").exists():
            time.sleep(0.0005)
        create_counters(counters, using="default")
        (options.folder / f"{options.name}.made-{number if options.rounds else 0}").touch()


if __name__ == "__main__":
    main()
