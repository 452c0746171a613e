"""Three coarser grains of the summaries, and the site grain that belongs to no organization; 0015 fills them.

On PostgreSQL this only changes the catalog, so that a large table is locked for moments: 0015 makes the indexes and
proves the constraint. Until then nothing can fold, and the code of before can not at all any more, whose folds would
leave the new grains out: the unique index that it names is gone. Pending rows wait, and readers see them.

SQLite makes the table anew. That breaks the views over it, so all views are dropped first, and made again as they were.
"""

from contextlib import contextmanager

from django.db import migrations, models

GRAINS = ["pending", "agent", "project", "model", "org", "site"]
KNOWN = models.CheckConstraint(
    condition=models.Q(
        models.Q(("dimensions_hash__isnull", True), ("grain", "pending"), ("organization__isnull", False)),
        models.Q(
            ("dimensions_hash__isnull", False),
            ("grain__in", ["agent", "project", "model", "org"]),
            ("organization__isnull", False),
        ),
        models.Q(("dimensions_hash__isnull", False), ("grain", "site"), ("organization__isnull", True)),
        _connector="OR",
    ),
    name="costtrack_summary_grain_known",
)
FIELDS = [
    migrations.AlterField(
        model_name="dailycostsummary",
        name="grain",
        field=models.CharField(choices=[(grain, grain) for grain in GRAINS], max_length=8),
    ),
    migrations.AlterField(
        model_name="dailycostsummary",
        name="organization",
        field=models.ForeignKey(
            blank=True,
            db_constraint=False,
            db_index=False,
            help_text="None at the site grain, which is of all organizations together.",
            null=True,
            on_delete=models.PROTECT,
            related_name="+",
            to="costtrack.organization",
        ),
    ),
    migrations.RemoveConstraint(model_name="dailycostsummary", name="costtrack_summary_unique"),
    migrations.RemoveConstraint(model_name="dailycostsummary", name="costtrack_summary_grain_known"),
]
UNIQUE = [
    migrations.AddConstraint(
        model_name="dailycostsummary",
        constraint=models.UniqueConstraint(
            condition=models.Q(("grain__in", ["pending", "site"]), _negated=True),
            fields=("organization", "grain", "day", "dimensions_hash"),
            name="costtrack_summary_unique",
        ),
    ),
    migrations.AddConstraint(
        model_name="dailycostsummary",
        constraint=models.UniqueConstraint(
            condition=models.Q(("grain", "site")),
            fields=("day", "dimensions_hash"),
            name="costtrack_summary_unique_site",
        ),
    ),
]


class AddConstraintNotValid(migrations.AddConstraint):
    """A constraint that PostgreSQL asks of new rows only. Django has it, too, but where psycopg can be imported."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            schema_editor.execute(f"{self.constraint.create_sql(model, schema_editor)} NOT VALID", None)


CHECK = [migrations.AddConstraint(model_name="dailycostsummary", constraint=KNOWN)]
CHECK_NEW_ROWS = [AddConstraintNotValid(model_name="dailycostsummary", constraint=KNOWN)]


@contextmanager
def views_aside(schema_editor):
    """Without any view of an SQLite database; each is made again as it was."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'view' ORDER BY rowid")
        views = cursor.fetchall()
    for name, _ in reversed(views):
        schema_editor.execute(f"DROP VIEW {schema_editor.quote_name(name)}", None)
    yield
    for _, statement in views:
        schema_editor.execute(statement, None)


class OnSqlite(migrations.SeparateDatabaseAndState):
    """Database operations of SQLite, while its views are aside."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor == "sqlite":
            with views_aside(schema_editor):
                super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor == "sqlite":
            with views_aside(schema_editor):
                super().database_backwards(app_label, schema_editor, from_state, to_state)


class OnPostgres(migrations.SeparateDatabaseAndState):
    """Database operations of PostgreSQL. Views stay: none of these touches what they are made of."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor == "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor == "postgresql":
            super().database_backwards(app_label, schema_editor, from_state, to_state)


class Migration(migrations.Migration):
    dependencies = [
        ("costtrack", "0013_found_recommendations"),
    ]

    operations = [
        OnSqlite(database_operations=[*FIELDS, *UNIQUE, *CHECK]),
        OnPostgres(database_operations=[*FIELDS, *CHECK_NEW_ROWS]),
        migrations.SeparateDatabaseAndState(state_operations=[*FIELDS, *UNIQUE, *CHECK]),
    ]
