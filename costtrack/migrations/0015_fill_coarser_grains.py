"""The model, organization and site grain of the summaries that there are, from their project grain.

A week at a time, each in a transaction of its own under the lock of folds: whatever it meets of these grains in a week
it replaces, so it may be broken off and begun again. On PostgreSQL it first makes the unique indexes of 0014, without
locking anybody out, and proves its constraint.
"""

from datetime import date, timedelta

from django.db import migrations, router, transaction

TABLE = "costtrack_dailycostsummary"
WEEK = timedelta(days=7)
COUNTS = (
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
)
DECIMALS = ("amount", "cost_usd", "cost_reported_usd", "cost_estimated_usd", "saving_usd")
BLANKS = {
    "organization_id": "NULL",
    "project_id": "NULL",
    "agent_id": "NULL",
    "sprint": "''",
    "workflow": "''",
    "endpoint": "''",
    "provider": "''",
    "model": "''",
    "resource_type": "''",
}
FILLED = {
    "model": ("project", ("organization_id", "provider", "model", "resource_type")),
    "org": ("model", ("organization_id", "provider", "resource_type")),
    "site": ("model", ("provider", "model", "resource_type")),
}
"""Each grain: from which other, and by what besides the day."""
INDEXES = {
    "costtrack_summary_unique": "(organization_id, grain, day, dimensions_hash) WHERE NOT (grain IN ('pending', 'site'))",
    "costtrack_summary_unique_site": "(day, dimensions_hash) WHERE grain = 'site'",
}


def hash_of(vendor, dimensions):
    """The first 128 bits of the SHA-256 of the dimensions, as folds make it."""
    names = [name for name in dimensions if name != "organization_id"]
    if vendor == "postgresql":
        text = " || chr(31) || ".join(f"coalesce(CAST({name} AS text), '')" for name in names)
        return f"CAST(encode(substring(sha256(convert_to({text}, 'UTF8')) FROM 1 FOR 16), 'hex') AS uuid)"
    text = " || char(31) || ".join(f"coalesce(CAST({name} AS text), '')" for name in names)
    return f"substr(SHA256({text}), 1, 32)"


def insert_of(vendor, grain):
    """INSERT of a grain's rows of the days [%s, %s), each organization's side by side."""
    source, dimensions = FILLED[grain]
    blanks = {name: value for name, value in BLANKS.items() if name not in dimensions}
    sums = [f"CAST(sum({name}) AS bigint)" for name in COUNTS] + [f"sum({name})" for name in DECIMALS]
    return f"""
        INSERT INTO {TABLE} (grain, dimensions_hash, day, {", ".join((*dimensions, *blanks, *COUNTS, *DECIMALS))})
        SELECT '{grain}', {hash_of(vendor, dimensions)}, day, {", ".join((*dimensions, *blanks.values(), *sums))}
        FROM {TABLE} WHERE grain = '{source}' AND day >= %s AND day < %s
        GROUP BY day, {", ".join(dimensions)} ORDER BY {"organization_id, " if "organization_id" in dimensions else ""}day, 2
    """


def weeks_of(cursor):
    """The days of all summaries, seven at a time."""
    cursor.execute(f"SELECT min(day), max(day) FROM {TABLE} WHERE grain <> 'pending'")
    first, last = (date.fromisoformat(day) if isinstance(day, str) else day for day in cursor.fetchone())
    while first is not None and first <= last:
        yield first, first + WEEK
        first += WEEK


def replace_grains(schema_editor, *, is_filled):
    """Week by week delete the rows of the grains, and make them if they are to be there."""
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        weeks = list(weeks_of(cursor))
        for week in weeks:
            with transaction.atomic(using=connection.alias):
                if connection.vendor == "postgresql":
                    cursor.execute(f"LOCK TABLE {TABLE} IN SHARE UPDATE EXCLUSIVE MODE")
                names = ", ".join(f"'{grain}'" for grain in FILLED)
                cursor.execute(f"DELETE FROM {TABLE} WHERE grain IN ({names}) AND day >= %s AND day < %s", week)
                for grain in FILLED if is_filled else ():
                    cursor.execute(insert_of(connection.vendor, grain), week)


class Indexes(migrations.operations.base.Operation):
    """The unique indexes of 0014 on PostgreSQL, made beside whoever writes, and its constraint proved."""

    reduces_to_sql = True
    reversible = True

    def state_forwards(self, app_label, state):
        """0014 has told it."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        if self.is_for(app_label, schema_editor):
            for name, what in INDEXES.items():
                # One that was broken off is there, and of no use.
                schema_editor.execute(f"DROP INDEX IF EXISTS {name}", None)
                schema_editor.execute(f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON {TABLE} {what}", None)
            schema_editor.execute(f"ALTER TABLE {TABLE} VALIDATE CONSTRAINT costtrack_summary_grain_known", None)

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        if self.is_for(app_label, schema_editor):
            for name in INDEXES:
                schema_editor.execute(f"DROP INDEX IF EXISTS {name}", None)

    def describe(self):
        return "Make the unique indexes of the summaries' grains"

    @staticmethod
    def is_for(app_label, schema_editor):
        connection = schema_editor.connection
        return connection.vendor == "postgresql" and router.allow_migrate(
            connection.alias, app_label, model_name="dailycostsummary"
        )


def fill(apps, schema_editor):
    if router.allow_migrate(schema_editor.connection.alias, "costtrack", model_name="dailycostsummary"):
        replace_grains(schema_editor, is_filled=True)


def empty(apps, schema_editor):
    if router.allow_migrate(schema_editor.connection.alias, "costtrack", model_name="dailycostsummary"):
        replace_grains(schema_editor, is_filled=False)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("costtrack", "0014_coarser_grains"),
    ]

    operations = [Indexes(), migrations.RunPython(fill, empty)]
