"""Paging that stays fast at millions of rows: counts are bounded, the size of a table is estimated."""

from __future__ import annotations

from typing import Any

from django.db import connections
from django.db.models import Model
from django.utils.functional import cached_property

from costtrack.admin.bases import Paginator

MOST_ROWS_LISTED = 10_000

_ESTIMATE_POSTGRESQL = """
SELECT coalesce(sum(greatest(reltuples, 0)), 0)::bigint FROM pg_class
WHERE relkind = 'r' AND (
    oid = to_regclass(%s) OR oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass(%s)))
"""


class BoundedPaginator(Paginator[Any]):
    """Pages through the first 10,000 rows and counts no further.

    An exact count of the ledger reads all of it (483 ms at 10 million rows), and so does a deep page: its OFFSET
    walks over every row before it. Whoever looks for more narrows the list by a filter.
    """

    @cached_property
    def _counted(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by().values("pk")[: MOST_ROWS_LISTED + 1].count())

    @cached_property
    def count(self) -> int:
        """How many rows can be paged through: at most 10,000."""
        return min(self._counted, MOST_ROWS_LISTED)

    @property
    def is_cut(self) -> bool:
        """There are more rows than can be paged through."""
        return self._counted > MOST_ROWS_LISTED


def estimated_rows(model: type[Model], *, using: str) -> int:
    """About how many rows the table holds, in under a millisecond.

    On PostgreSQL what the last (auto)analyze saw, summed over the partitions: 0 before the first one. Elsewhere
    the highest id, which is right for a table that is never deleted from.
    """
    connection = connections[using]
    if connection.vendor != "postgresql":
        highest = model._default_manager.using(using).order_by("-pk").values_list("pk", flat=True).first()
        return int(highest or 0)
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(_ESTIMATE_POSTGRESQL, [table, table])
        row = cursor.fetchone()
    return int(row[0]) if row else 0
