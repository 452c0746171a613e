"""Run as a process: book what dead processes left in the spool, prove the books, and print what was found as JSON."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import django


def main() -> None:
    django.setup()
    from django.db.models import Sum

    from costtrack.aggregation import fold_pending, verify_books
    from costtrack.metering.spool import spool_directory
    from costtrack.metering.spool.counters import Counters
    from costtrack.metering.spool.dead_letters import DeadLetters
    from costtrack.metering.spool.leftovers import book_leftovers
    from costtrack.models import ResourceUsage
    from tests.factories import summed

    booked = book_leftovers()
    directory = spool_directory()
    letters = DeadLetters(directory)
    differences = [str(difference) for difference in verify_books()]
    folded = fold_pending()
    differences += [str(difference) for difference in verify_books()]
    print(
        json.dumps(
            {
                "adopted": dataclasses.asdict(booked),
                "counters": Counters(directory).of_all_processes(),
                "dead_letters": letters.count(),
                "reasons": letters.reasons(),
                "segments_left": sorted(path.name for path in Path(directory).glob("*.segment")),
                "differences": differences,
                "folded": folded,
                "cost_usd": str(summed(ResourceUsage.objects.aggregate(cost=Sum("cost_usd"))["cost"] or 0)),
            }
        )
    )


if __name__ == "__main__":
    main()
