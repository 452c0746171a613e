"""A faster end of tests with transactions of their own, on PostgreSQL: only tables with rows are emptied.

Django truncates every table; of the ledger that is each month's partition, with all its indexes, whatever is in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.backends.postgresql.operations import DatabaseOperations

EMPTY = """
DO $$
DECLARE
    one regclass;
    has_rows boolean;
BEGIN
    SET LOCAL session_replication_role = replica;  -- no foreign key, no trigger
    FOR one IN
        SELECT coalesce(i.inhrelid, c.oid)::regclass FROM pg_class c LEFT JOIN pg_inherits i ON i.inhparent = c.oid
        WHERE c.oid = ANY (ARRAY[{tables}]::regclass[])
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', one) INTO has_rows;
        IF has_rows THEN
            EXECUTE format('DELETE FROM %s', one);
        END IF;
    END LOOP;
END $$
"""

truncated = DatabaseOperations.sql_flush


def sql_flush(
    self: DatabaseOperations,
    style: Any,
    tables: Sequence[str],
    *,
    reset_sequences: bool = False,
    allow_cascade: bool = False,
) -> list[str]:
    """Django's method; where sequences begin anew it does what Django's does."""
    if reset_sequences or not tables:
        return truncated(self, style, tables, reset_sequences=reset_sequences, allow_cascade=allow_cascade)
    named = ", ".join(f"'{self.quote_name(table)}'" for table in tables)
    return [EMPTY.format(tables=named)]
