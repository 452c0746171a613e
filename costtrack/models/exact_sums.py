"""Sums of decimals that do not drift: SQLite adds floats up one after another, and loses a little with each.

Over some hundred thousand rows that is more than the nano-dollar that the books are proved to. So there whole dollars
and their fractions, as whole numbers of 12 decimals, are summed apart. PostgreSQL's sums are exact.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Sum


def exact_sum_sql(vendor: str, expression: str) -> str:
    """SQL for the sum of a decimal column, or of an expression of some, over the rows of a group."""
    if vendor != "sqlite":
        return f"sum({expression})"
    whole = f"CAST({expression} AS integer)"
    fraction = f"CAST(round(({expression} - {whole}) * 1e12) AS integer)"
    return f"(sum({whole}) + sum({fraction}) / 1e12)"


class ExactSum(Sum):
    """Django's Sum, by `exact_sum_sql`; without a filter."""

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, tuple[Any, ...]]:
        """Its SQL there, which names the expression three times."""
        if self.filter is not None:
            raise ValueError("ExactSum takes no filter.")
        sql, params = compiler.compile(self.get_source_expressions()[0])
        exact = exact_sum_sql("sqlite", f"({sql})")
        return f"CAST({exact} AS NUMERIC)", tuple(params) * exact.count(f"({sql})")
