"""How many calls of a summary have a latency, so that a mean is of these; filled from the ledger.

A week at a time, each in a transaction of its own under the lock of folds, by what is still missing. What has no folded row
yet becomes a pending one. The column has a default in the database, so that code of before goes on booking; what it books
and folds meanwhile is not counted, which `aggregate_costs --verify` tells, and `--rebuild` of those days mends.
"""

from datetime import date, timedelta

from django.db import migrations, models, router, transaction

TABLE = "costtrack_dailycostsummary"
LEDGER = "costtrack_resourceusage"
WEEK = timedelta(days=7)
AGENT = (
    "organization_id",
    "day",
    "project_id",
    "agent_id",
    "sprint",
    "workflow",
    "endpoint",
    "provider",
    "model",
    "resource_type",
)
OTHERS = (
    ("project", "agent", ("organization_id", "day", "project_id", "endpoint", "provider", "model", "resource_type")),
    ("model", "project", ("organization_id", "day", "provider", "model", "resource_type")),
    ("org", "model", ("organization_id", "day", "provider", "resource_type")),
    ("site", "model", ("day", "provider", "model", "resource_type")),
)
"""Each other grain, from which it is summed, and by what."""
ZEROS = (
    "calls",
    "errors",
    "unpriced_calls",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "reasoning_tokens",
    "latency_ms",
    "amount",
    "cost_usd",
    "cost_reported_usd",
    "cost_estimated_usd",
    "saving_usd",
)


def hash_of(vendor, dimensions):
    """The first 128 bits of the SHA-256 of the dimensions, as folds make it."""
    names = [name for name in dimensions if name not in ("organization_id", "day")]
    if vendor == "postgresql":
        text = " || chr(31) || ".join(f"coalesce(CAST({name} AS text), '')" for name in names)
        return f"CAST(encode(substring(sha256(convert_to({text}, 'UTF8')) FROM 1 FOR 16), 'hex') AS uuid)"
    text = " || char(31) || ".join(f"coalesce(CAST({name} AS text), '')" for name in names)
    return f"substr(SHA256({text}), 1, 32)"


def whole(vendor, total):
    return f"CAST({total} AS bigint)" if vendor == "postgresql" else total


def fill_week(cursor, vendor, week):
    """What the ledger has and the agent grain and pending rows lack, added there; then the other grains."""
    dimensions = ", ".join(AGENT)
    cursor.execute(
        f"""
        CREATE TEMPORARY TABLE costtrack_timed AS
        SELECT {dimensions}, {hash_of(vendor, AGENT)} AS hash, {whole(vendor, "sum(missing)")} AS missing FROM (
            SELECT {dimensions}, calls AS missing FROM {LEDGER}
            WHERE latency_ms IS NOT NULL AND day >= %s AND day < %s
            UNION ALL
            SELECT {dimensions}, -timed_calls FROM {TABLE}
            WHERE grain IN ('agent', 'pending') AND timed_calls <> 0 AND day >= %s AND day < %s
        ) AS booked GROUP BY {dimensions} HAVING sum(missing) <> 0
        """,
        (*week, *week),
    )
    is_same = " AND ".join(
        f"{TABLE}.{name} = costtrack_timed.{column}"
        for name, column in (("organization_id", "organization_id"), ("day", "day"), ("dimensions_hash", "hash"))
    )
    cursor.execute(
        f"UPDATE {TABLE} SET timed_calls = timed_calls + missing FROM costtrack_timed WHERE grain = 'agent' AND {is_same}"
    )
    cursor.execute(
        f"""
        INSERT INTO {TABLE} (grain, {dimensions}, timed_calls, {", ".join(ZEROS)})
        SELECT 'pending', {dimensions}, missing, {", ".join("0" for _ in ZEROS)} FROM costtrack_timed
        WHERE NOT EXISTS (SELECT 1 FROM {TABLE} WHERE grain = 'agent' AND {is_same})
        """
    )
    cursor.execute("DROP TABLE costtrack_timed")
    for grain, source, names in OTHERS:
        own = [name for name in ("organization_id", "day") if name in names]
        is_same = " AND ".join(f"{TABLE}.{name} = summed.{name}" for name in own)
        cursor.execute(
            f"""
            UPDATE {TABLE} SET timed_calls = summed.timed FROM (
                SELECT {", ".join(own)}, {hash_of(vendor, names)} AS hash, {whole(vendor, "sum(timed_calls)")} AS timed
                FROM {TABLE} WHERE grain = '{source}' AND day >= %s AND day < %s GROUP BY {", ".join(names)}
            ) AS summed
            WHERE {TABLE}.grain = '{grain}' AND {is_same} AND {TABLE}.dimensions_hash = summed.hash
                AND {TABLE}.timed_calls <> summed.timed
            """,
            week,
        )


def weeks_of(cursor):
    """The days of all usage, seven at a time."""
    cursor.execute(f"SELECT min(day), max(day) FROM {TABLE}")
    first, last = (date.fromisoformat(day) if isinstance(day, str) else day for day in cursor.fetchone())
    while first is not None and first <= last:
        yield first, first + WEEK
        first += WEEK


def fill(apps, schema_editor):
    connection = schema_editor.connection
    if not router.allow_migrate(connection.alias, "costtrack", model_name="dailycostsummary"):
        return
    with connection.cursor() as cursor:
        for week in list(weeks_of(cursor)):
            with transaction.atomic(using=connection.alias):
                if connection.vendor == "postgresql":
                    cursor.execute(f"LOCK TABLE {TABLE} IN SHARE UPDATE EXCLUSIVE MODE")
                fill_week(cursor, connection.vendor, week)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("costtrack", "0016_reserve_by_known_limits"),
    ]

    operations = [
        migrations.RunSQL(
            # Not as Django would on SQLite, which makes the table anew: that breaks the views over it.
            f"ALTER TABLE {TABLE} ADD COLUMN timed_calls bigint DEFAULT 0 NOT NULL",
            f"ALTER TABLE {TABLE} DROP COLUMN timed_calls",
            state_operations=[
                migrations.AddField(
                    model_name="dailycostsummary",
                    name="timed_calls",
                    field=models.BigIntegerField(
                        db_default=0, default=0, help_text="Calls whose latency is known; the mean latency is of these."
                    ),
                )
            ],
            hints={"model_name": "dailycostsummary"},
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
