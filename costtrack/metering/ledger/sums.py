"""The pending summary rows of a batch: its ledger rows added up per dimension, in Python, exactly."""

from __future__ import annotations

from collections.abc import Iterable
from operator import add
from typing import Any

from costtrack.domain.money import EXACT
from costtrack.metering.ledger.rows import SummaryPart
from costtrack.models.summaries import AGENT_DIMENSIONS, COUNT_SUMS, DECIMAL_SUMS, PENDING

SUMMARY_COLUMNS = ("grain", "dimensions_hash", *AGENT_DIMENSIONS, *COUNT_SUMS, *DECIMAL_SUMS)


def pending_rows(parts: Iterable[SummaryPart]) -> list[tuple[Any, ...]]:
    """One row per dimension, in the order of SUMMARY_COLUMNS."""
    sums: dict[tuple[Any, ...], tuple[tuple[int, ...], tuple[Any, ...]]] = {}
    for part in parts:
        so_far = sums.get(part.dimensions)
        if so_far is None:
            sums[part.dimensions] = (part.counts, part.decimals)
        else:
            sums[part.dimensions] = (
                tuple(map(add, so_far[0], part.counts)),
                tuple(map(EXACT.add, so_far[1], part.decimals)),
            )
    return [(PENDING, None, *dimensions, *counts, *decimals) for dimensions, (counts, decimals) in sums.items()]
