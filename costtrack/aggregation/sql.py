"""The pieces of SQL that fold, rebuild and verify share, for PostgreSQL and SQLite."""

from __future__ import annotations

from collections.abc import Sequence

from costtrack.models.exact_sums import exact_sum_sql
from costtrack.models.summaries import AGENT_DIMENSIONS, COUNT_SUMS, DECIMAL_SUMS, GRAINS, PENDING, SITE, SUMS

SUMMARY_TABLE = "costtrack_dailycostsummary"
LEDGER_TABLE = "costtrack_resourceusage"

LEDGER_SUMS = {
    **{name: f"coalesce({name}, 0)" for name in COUNT_SUMS},
    "timed_calls": "CASE WHEN latency_ms IS NULL THEN 0 ELSE calls END",
    "amount": "amount",
    "cost_usd": "coalesce(cost_usd, 0)",
    "cost_reported_usd": "CASE WHEN cost_source = 'reported' THEN cost_usd ELSE 0 END",
    "cost_estimated_usd": "CASE WHEN cost_source = 'estimated' THEN cost_usd ELSE 0 END",
    "saving_usd": "saving_usd",
}
"""What a ledger row adds to each sum."""

BLANK_ID = ("organization_id", "project_id", "agent_id")
"""NULL where a grain does not have them; other dimensions are ''."""

PLAIN_SUMS = {name: name for name in SUMS}
"""What a summary row adds to each sum."""

TOLERANCES = {"postgresql": "0", "sqlite": "max(5e-10, 1e-12 * sum(abs({name})))"}
"""How far a sum that should be 0 may be off. PostgreSQL's are exact; SQLite adds floats of 15 digits."""


def columns(names: Sequence[str], prefix: str = "") -> str:
    """A list of columns, each with the prefix."""
    return ", ".join(f"{prefix}{name}" for name in names)


def dimensions_hash(vendor: str, dimensions: Sequence[str]) -> str:
    """SQL for the 128-bit hash that makes a folded row unique: SHA-256 over the dimensions in their order."""
    separator = "chr(31)" if vendor == "postgresql" else "char(31)"
    text = f" || {separator} || ".join(
        f"coalesce(CAST({name} AS text), '')" for name in dimensions if name not in ("organization_id", "day")
    )
    if vendor == "postgresql":
        return f"CAST(encode(substring(sha256(convert_to({text}, 'UTF8')) FROM 1 FOR 16), 'hex') AS uuid)"
    return f"substr(SHA256({text}), 1, 32)"


def sums_of(vendor: str, table_sums: dict[str, str]) -> str:
    """`sum(...) AS name` for each sum; whole numbers keep their type on PostgreSQL."""
    return ", ".join(
        f"CAST(sum({expression}) AS bigint) AS {name}"
        if name in COUNT_SUMS
        else f"{exact_sum_sql(vendor, expression)} AS {name}"
        for name, expression in table_sums.items()
    )


def insert_grain(vendor: str, grain: str, source: str, source_sums: dict[str, str]) -> str:
    """INSERT of one grain's sums of `source`, added to the rows that are there."""
    dimensions = GRAINS[grain]
    own_key = ("day", "dimensions_hash") if grain == SITE else ("organization_id", "grain", "day", "dimensions_hash")
    is_own = f"grain = '{SITE}'" if grain == SITE else f"NOT (grain IN ('{PENDING}', '{SITE}'))"
    added = ", ".join(f"{name} = {SUMMARY_TABLE}.{name} + excluded.{name}" for name in SUMS)
    blank = [name for name in AGENT_DIMENSIONS if name not in dimensions]
    blanks = "".join(", NULL" if name in BLANK_ID else ", ''" for name in blank)
    return f"""
        INSERT INTO {SUMMARY_TABLE} (
            grain, dimensions_hash, {columns(dimensions)}{"".join(", " + name for name in blank)}, {columns(SUMS)})
        SELECT '{grain}', {dimensions_hash(vendor, dimensions)}, {columns(dimensions)}{blanks},
            {sums_of(vendor, source_sums)}
        FROM {source} GROUP BY {columns(dimensions)}
        ORDER BY {columns([name for name in ("organization_id", "day") if name in dimensions])}, 2
        ON CONFLICT ({columns(own_key)}) WHERE {is_own} DO UPDATE SET {added}
    """


assert set(LEDGER_SUMS) == set(SUMS) == {*COUNT_SUMS, *DECIMAL_SUMS}
