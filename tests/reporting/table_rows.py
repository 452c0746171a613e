"""Rows of every kind of column, for exports."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from operator import itemgetter
from typing import Any

from costtrack.reporting.columns import Column, Kind

COLUMNS = [Column(kind.value, kind, itemgetter(kind.value), is_nullable=True) for kind in Kind]


def row(**values: Any) -> dict[str, Any]:
    """A call's row; the values are under the names of their kinds."""
    common: dict[str, Any] = {
        "text": "chat",
        "integer": 1000,
        "decimal": Decimal("0.004500000000"),
        "boolean": True,
        "instant": datetime(2026, 11, 20, 12, 0, 0, 250, tzinfo=UTC),
        "day": date(2026, 11, 20),
        "data": {"tags": ["a", "b"]},
    }
    return {**common, **values}


EMPTY: dict[str, Any] = dict.fromkeys(row())
"""Nothing is known."""
