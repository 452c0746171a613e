"""A sum by model and by endpoint out of one query, so that the total and its parts always agree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from costtrack.reporting.figures import CostLine, Figures, add_up, dearest_first, read_figures


@dataclass(frozen=True, slots=True)
class Breakdown:
    """The figures of a whole and its parts; each list adds up to the whole."""

    figures: Figures
    by_model: tuple[CostLine, ...]
    """Dearest first, equal ones by name."""
    by_endpoint: tuple[CostLine, ...]


def read_breakdown(rows: Iterable[Mapping[str, Any]], *, using: str) -> Breakdown:
    """The breakdown of rows that are grouped by `shown_model` (SHOWN_MODEL) and `endpoint`."""
    by_model: defaultdict[str, list[Figures]] = defaultdict(list)
    by_endpoint: defaultdict[str, list[Figures]] = defaultdict(list)
    for row in rows:
        figures = read_figures(row, using=using)
        by_model[row["shown_model"]].append(figures)
        by_endpoint[row["endpoint"]].append(figures)
    models = dearest_first(by_model)
    return Breakdown(add_up(line.figures for line in models), models, dearest_first(by_endpoint))
