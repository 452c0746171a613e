"""The tables: tenancy, rates, the ledger (partitioned by month on PostgreSQL), its keys, and the summaries."""

import datetime

import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.manager
from django.conf import settings
from django.db import migrations, models

PARTITIONS = [
    "CREATE TABLE costtrack_resourceusage_default PARTITION OF costtrack_resourceusage DEFAULT",
    """
DO $$
DECLARE
    month date := date_trunc('month', now() AT TIME ZONE 'UTC')::date;
BEGIN
    FOR ahead IN 0..3 LOOP
        EXECUTE format(
            'CREATE TABLE %I PARTITION OF costtrack_resourceusage FOR VALUES FROM (%L) TO (%L)',
            'costtrack_resourceusage_' || to_char(month, '"y"YYYY"m"MM'),
            month, (month + interval '1 month')::date
        );
        month := (month + interval '1 month')::date;
    END LOOP;
END $$
""",
]
"""The default partition, and one for this month and each of the coming three."""


class CreateModelPartitionedByDay(migrations.CreateModel):
    """CreateModel whose table, on PostgreSQL, is partitioned by range of `day`; a plain table elsewhere.

    The primary key of a partitioned table has to hold the partition key, so it becomes
    (organization_id, day, id) in SQL. Rewriting the statement keeps `sqlmigrate` working.
    """

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        sql, params = schema_editor.table_sql(model)
        if sql.count(" PRIMARY KEY") != 1 or not sql.endswith(")"):
            raise ValueError("Django's CREATE TABLE has another form than expected: " + sql)
        sql = sql.replace(" PRIMARY KEY", "", 1)[:-1]
        sql += ', PRIMARY KEY ("organization_id", "day", "id")) PARTITION BY RANGE ("day")'
        schema_editor.execute(sql, params or None)
        for statement in PARTITIONS:
            schema_editor.execute(statement, None)
        schema_editor.deferred_sql.extend(schema_editor._model_indexes_sql(model))


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Organization",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("slug", models.SlugField(max_length=100, unique=True)),
                ("name", models.CharField(blank=True, default="", max_length=200)),
                (
                    "timezone",
                    models.CharField(
                        default="UTC",
                        help_text="IANA name. Its days and periods follow this zone; a change takes effect at its next midnight.",
                        max_length=64,
                    ),
                ),
                (
                    "is_active",
                    models.BooleanField(
                        default=True,
                        help_text="Deactivate instead of deleting: usage keeps its owner, and what still comes in is still booked.",
                    ),
                ),
                ("is_demo", models.BooleanField(default=False, editable=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "ordering": ["slug"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("slug", ""), _negated=True), name="costtrack_organization_slug_not_empty"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="OrganizationZone",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("timezone", models.CharField(max_length=64)),
                ("effective_from", models.DateTimeField(blank=True, help_text="Empty: from ever.", null=True)),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="zones", to="costtrack.organization"
                    ),
                ),
            ],
            options={
                "ordering": [models.OrderBy(models.F("effective_from"), nulls_first=True)],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "effective_from"), name="costtrack_organizationzone_unique"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Project",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("slug", models.CharField(max_length=100, validators=[django.core.validators.MinLengthValidator(1)])),
                ("name", models.CharField(blank=True, default="", max_length=200)),
                ("is_active", models.BooleanField(default=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="projects",
                        to="costtrack.organization",
                    ),
                ),
            ],
            options={
                "ordering": ["organization_id", "slug"],
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "slug"), name="costtrack_project_unique"),
                    models.CheckConstraint(
                        condition=models.Q(("slug", ""), _negated=True), name="costtrack_project_slug_not_empty"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Agent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("slug", models.CharField(max_length=100, validators=[django.core.validators.MinLengthValidator(1)])),
                ("name", models.CharField(blank=True, default="", max_length=200)),
                ("is_active", models.BooleanField(default=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="agents", to="costtrack.project"
                    ),
                ),
            ],
            options={
                "ordering": ["project_id", "slug"],
                "constraints": [
                    models.UniqueConstraint(fields=("project", "slug"), name="costtrack_agent_unique"),
                    models.CheckConstraint(
                        condition=models.Q(("slug", ""), _negated=True), name="costtrack_agent_slug_not_empty"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Membership",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("viewer", "viewer: reads"),
                            ("manager", "manager: also budgets"),
                            ("admin", "admin: also rates and keys"),
                        ],
                        default="viewer",
                        max_length=16,
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="costtrack_memberships",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="memberships",
                        to="costtrack.organization",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("user", "organization"), name="costtrack_membership_unique"),
                    models.CheckConstraint(
                        condition=models.Q(("role__in", ["viewer", "manager", "admin"])),
                        name="costtrack_membership_role_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Rate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "input_usd_per_million",
                    models.DecimalField(
                        blank=True,
                        decimal_places=6,
                        help_text="USD per 1M input tokens. Empty: unknown, usage stays unpriced.",
                        max_digits=16,
                        null=True,
                    ),
                ),
                (
                    "output_usd_per_million",
                    models.DecimalField(
                        blank=True,
                        decimal_places=6,
                        help_text="USD per 1M output tokens. Empty: unknown, usage with output stays unpriced.",
                        max_digits=16,
                        null=True,
                    ),
                ),
                (
                    "cache_read_usd_per_million",
                    models.DecimalField(
                        blank=True, decimal_places=6, help_text="Empty: the input price.", max_digits=16, null=True
                    ),
                ),
                (
                    "cache_write_usd_per_million",
                    models.DecimalField(
                        blank=True,
                        decimal_places=6,
                        help_text="5-minute cache. Empty: the input price.",
                        max_digits=16,
                        null=True,
                    ),
                ),
                (
                    "cache_write_1h_usd_per_million",
                    models.DecimalField(
                        blank=True,
                        decimal_places=6,
                        help_text="1-hour cache. Empty: the 5-minute price.",
                        max_digits=16,
                        null=True,
                    ),
                ),
                (
                    "input_audio_usd_per_million",
                    models.DecimalField(
                        blank=True, decimal_places=6, help_text="Empty: the input price.", max_digits=16, null=True
                    ),
                ),
                (
                    "output_audio_usd_per_million",
                    models.DecimalField(
                        blank=True, decimal_places=6, help_text="Empty: the output price.", max_digits=16, null=True
                    ),
                ),
                (
                    "reasoning_usd_per_million",
                    models.DecimalField(
                        blank=True, decimal_places=6, help_text="Empty: the output price.", max_digits=16, null=True
                    ),
                ),
                (
                    "provider",
                    models.CharField(
                        blank=True,
                        default="",
                        help_text="Who makes or hosts the model: anthropic, openai, aws ... Empty: whoever does.",
                        max_length=100,
                    ),
                ),
                (
                    "model",
                    models.CharField(help_text="Canonical model id; * = any model of the provider.", max_length=200),
                ),
                (
                    "aliases",
                    models.JSONField(
                        blank=True,
                        default=list,
                        help_text="Other spellings of the model id that this rate is for, as a list.",
                    ),
                ),
                ("resource_type", models.CharField(default="llm_tokens", max_length=50)),
                (
                    "service_tier",
                    models.CharField(
                        default="standard", help_text="standard, batch, flex, priority or fast.", max_length=20
                    ),
                ),
                (
                    "effective_from",
                    models.DateTimeField(default=datetime.datetime(1970, 1, 1, 0, 0, tzinfo=datetime.UTC)),
                ),
                (
                    "window_start",
                    models.TimeField(
                        default=datetime.time(0, 0),
                        help_text="UTC. A price for part of the day; start equal to end means all day.",
                    ),
                ),
                (
                    "window_end",
                    models.TimeField(default=datetime.time(0, 0), help_text="UTC, exclusive; may lie past midnight."),
                ),
                (
                    "request_usd",
                    models.DecimalField(
                        blank=True,
                        decimal_places=12,
                        help_text="USD per call, on top of the tokens.",
                        max_digits=24,
                        null=True,
                    ),
                ),
                (
                    "unit_price_usd",
                    models.DecimalField(
                        blank=True,
                        decimal_places=12,
                        help_text="USD per unit, for resource types other than tokens.",
                        max_digits=24,
                        null=True,
                    ),
                ),
                ("source", models.CharField(default="manual", help_text="Where the price comes from.", max_length=100)),
                ("source_version", models.CharField(blank=True, default="", max_length=50)),
                (
                    "is_used",
                    models.BooleanField(
                        default=False, editable=False, help_text="It has priced usage and stands for good."
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True, db_index=True)),
                (
                    "organization",
                    models.ForeignKey(
                        blank=True,
                        help_text="Empty: for everyone. Else this organization's own price, which wins over the global one.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="rates",
                        to="costtrack.organization",
                    ),
                ),
            ],
            options={
                "ordering": ["provider", "model", "service_tier", "-effective_from"],
                "abstract": False,
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("organization__isnull", True)),
                        fields=(
                            "provider",
                            "model",
                            "resource_type",
                            "service_tier",
                            "window_start",
                            "window_end",
                            "effective_from",
                        ),
                        name="costtrack_rate_unique_global",
                        violation_error_message=(
                            "There is a rate of this provider, model, tier and window from that moment already; "
                            "choose another effective_from."
                        ),
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("organization__isnull", False)),
                        fields=(
                            "organization",
                            "provider",
                            "model",
                            "resource_type",
                            "service_tier",
                            "window_start",
                            "window_end",
                            "effective_from",
                        ),
                        name="costtrack_rate_unique_own",
                        violation_error_message=(
                            "There is a rate of this provider, model, tier and window from that moment already; "
                            "choose another effective_from."
                        ),
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("model", ""), _negated=True), name="costtrack_rate_model_not_empty"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("unit_price_usd__isnull", True),
                            models.Q(("unit_price_usd__gte", 0), ("unit_price_usd__lt", 1000000000000)),
                            _connector="OR",
                        ),
                        name="costtrack_rate_unit_price_gte_0",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("request_usd__isnull", True),
                            models.Q(("request_usd__gte", 0), ("request_usd__lt", 1000000000000)),
                            _connector="OR",
                        ),
                        name="costtrack_rate_request_gte_0",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("input_usd_per_million__isnull", True),
                            models.Q(("input_usd_per_million__gte", 0), ("input_usd_per_million__lt", 10000000000)),
                            _connector="OR",
                        ),
                        name="costtrack_rate_input_gte_0",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("output_usd_per_million__isnull", True),
                            models.Q(("output_usd_per_million__gte", 0), ("output_usd_per_million__lt", 10000000000)),
                            _connector="OR",
                        ),
                        name="costtrack_rate_output_gte_0",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("cache_read_usd_per_million__isnull", True),
                            models.Q(
                                ("cache_read_usd_per_million__gte", 0), ("cache_read_usd_per_million__lt", 10000000000)
                            ),
                            _connector="OR",
                        ),
                        name="costtrack_rate_cache_read_gte_0",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("cache_write_usd_per_million__isnull", True),
                            models.Q(
                                ("cache_write_usd_per_million__gte", 0),
                                ("cache_write_usd_per_million__lt", 10000000000),
                            ),
                            _connector="OR",
                        ),
                        name="costtrack_rate_cache_write_gte_0",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("cache_write_1h_usd_per_million__isnull", True),
                            models.Q(
                                ("cache_write_1h_usd_per_million__gte", 0),
                                ("cache_write_1h_usd_per_million__lt", 10000000000),
                            ),
                            _connector="OR",
                        ),
                        name="costtrack_rate_cache_write_1h_gte_0",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("input_audio_usd_per_million__isnull", True),
                            models.Q(
                                ("input_audio_usd_per_million__gte", 0),
                                ("input_audio_usd_per_million__lt", 10000000000),
                            ),
                            _connector="OR",
                        ),
                        name="costtrack_rate_input_audio_gte_0",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("output_audio_usd_per_million__isnull", True),
                            models.Q(
                                ("output_audio_usd_per_million__gte", 0),
                                ("output_audio_usd_per_million__lt", 10000000000),
                            ),
                            _connector="OR",
                        ),
                        name="costtrack_rate_output_audio_gte_0",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("reasoning_usd_per_million__isnull", True),
                            models.Q(
                                ("reasoning_usd_per_million__gte", 0), ("reasoning_usd_per_million__lt", 10000000000)
                            ),
                            _connector="OR",
                        ),
                        name="costtrack_rate_reasoning_gte_0",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="RateTier",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "input_usd_per_million",
                    models.DecimalField(
                        blank=True,
                        decimal_places=6,
                        help_text="USD per 1M input tokens. Empty: unknown, usage stays unpriced.",
                        max_digits=16,
                        null=True,
                    ),
                ),
                (
                    "output_usd_per_million",
                    models.DecimalField(
                        blank=True,
                        decimal_places=6,
                        help_text="USD per 1M output tokens. Empty: unknown, usage with output stays unpriced.",
                        max_digits=16,
                        null=True,
                    ),
                ),
                (
                    "cache_read_usd_per_million",
                    models.DecimalField(
                        blank=True, decimal_places=6, help_text="Empty: the input price.", max_digits=16, null=True
                    ),
                ),
                (
                    "cache_write_usd_per_million",
                    models.DecimalField(
                        blank=True,
                        decimal_places=6,
                        help_text="5-minute cache. Empty: the input price.",
                        max_digits=16,
                        null=True,
                    ),
                ),
                (
                    "cache_write_1h_usd_per_million",
                    models.DecimalField(
                        blank=True,
                        decimal_places=6,
                        help_text="1-hour cache. Empty: the 5-minute price.",
                        max_digits=16,
                        null=True,
                    ),
                ),
                (
                    "input_audio_usd_per_million",
                    models.DecimalField(
                        blank=True, decimal_places=6, help_text="Empty: the input price.", max_digits=16, null=True
                    ),
                ),
                (
                    "output_audio_usd_per_million",
                    models.DecimalField(
                        blank=True, decimal_places=6, help_text="Empty: the output price.", max_digits=16, null=True
                    ),
                ),
                (
                    "reasoning_usd_per_million",
                    models.DecimalField(
                        blank=True, decimal_places=6, help_text="Empty: the output price.", max_digits=16, null=True
                    ),
                ),
                (
                    "above_input_tokens",
                    models.PositiveBigIntegerField(
                        help_text="The tier holds for requests with more input tokens than this (strictly above)."
                    ),
                ),
                (
                    "rate",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="tiers", to="costtrack.rate"
                    ),
                ),
            ],
            options={
                "ordering": ["rate_id", "above_input_tokens"],
                "abstract": False,
                "constraints": [
                    models.UniqueConstraint(fields=("rate", "above_input_tokens"), name="costtrack_ratetier_unique"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("input_usd_per_million__isnull", True),
                            models.Q(("input_usd_per_million__gte", 0), ("input_usd_per_million__lt", 10000000000)),
                            _connector="OR",
                        ),
                        name="costtrack_ratetier_input_gte_0",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("output_usd_per_million__isnull", True),
                            models.Q(("output_usd_per_million__gte", 0), ("output_usd_per_million__lt", 10000000000)),
                            _connector="OR",
                        ),
                        name="costtrack_ratetier_output_gte_0",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("cache_read_usd_per_million__isnull", True),
                            models.Q(
                                ("cache_read_usd_per_million__gte", 0), ("cache_read_usd_per_million__lt", 10000000000)
                            ),
                            _connector="OR",
                        ),
                        name="costtrack_ratetier_cache_read_gte_0",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("cache_write_usd_per_million__isnull", True),
                            models.Q(
                                ("cache_write_usd_per_million__gte", 0),
                                ("cache_write_usd_per_million__lt", 10000000000),
                            ),
                            _connector="OR",
                        ),
                        name="costtrack_ratetier_cache_write_gte_0",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("cache_write_1h_usd_per_million__isnull", True),
                            models.Q(
                                ("cache_write_1h_usd_per_million__gte", 0),
                                ("cache_write_1h_usd_per_million__lt", 10000000000),
                            ),
                            _connector="OR",
                        ),
                        name="costtrack_ratetier_cache_write_1h_gte_0",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("input_audio_usd_per_million__isnull", True),
                            models.Q(
                                ("input_audio_usd_per_million__gte", 0),
                                ("input_audio_usd_per_million__lt", 10000000000),
                            ),
                            _connector="OR",
                        ),
                        name="costtrack_ratetier_input_audio_gte_0",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("output_audio_usd_per_million__isnull", True),
                            models.Q(
                                ("output_audio_usd_per_million__gte", 0),
                                ("output_audio_usd_per_million__lt", 10000000000),
                            ),
                            _connector="OR",
                        ),
                        name="costtrack_ratetier_output_audio_gte_0",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("reasoning_usd_per_million__isnull", True),
                            models.Q(
                                ("reasoning_usd_per_million__gte", 0), ("reasoning_usd_per_million__lt", 10000000000)
                            ),
                            _connector="OR",
                        ),
                        name="costtrack_ratetier_reasoning_gte_0",
                    ),
                ],
            },
        ),
        CreateModelPartitionedByDay(
            name="ResourceUsage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[("usage", "usage"), ("adjustment", "adjustment"), ("void", "void")],
                        default="usage",
                        max_length=10,
                    ),
                ),
                (
                    "reason",
                    models.CharField(
                        blank=True, default="", help_text="Why a correction was made, by whom.", max_length=500
                    ),
                ),
                ("idempotency_key", models.CharField(blank=True, default="", max_length=255)),
                ("occurred_at", models.DateTimeField()),
                ("recorded_at", models.DateTimeField(help_text="When the row was written.")),
                (
                    "day",
                    models.DateField(
                        help_text="The organization's local date of `occurred_at`; a correction's is its original's."
                    ),
                ),
                ("sprint", models.CharField(blank=True, default="", max_length=200)),
                ("workflow", models.CharField(blank=True, default="", max_length=200)),
                ("stage", models.CharField(blank=True, default="", max_length=200)),
                ("thread_id", models.CharField(blank=True, default="", help_text="The conversation.", max_length=200)),
                ("request_id", models.CharField(blank=True, default="", max_length=200)),
                ("entity_type", models.CharField(blank=True, default="", max_length=200)),
                ("entity_id", models.CharField(blank=True, default="", max_length=200)),
                ("endpoint", models.CharField(blank=True, default="", help_text="The feature's name.", max_length=200)),
                (
                    "customer",
                    models.CharField(blank=True, default="", help_text="The end user served.", max_length=200),
                ),
                (
                    "user",
                    models.CharField(blank=True, default="", help_text="The host's user id, as text.", max_length=200),
                ),
                ("run", models.CharField(blank=True, default="", max_length=200)),
                ("tags", models.JSONField(blank=True, default=dict)),
                ("resource_type", models.CharField(blank=True, default="", max_length=50)),
                (
                    "provider",
                    models.CharField(blank=True, default="", help_text="Who made or hosts the model.", max_length=100),
                ),
                (
                    "gateway",
                    models.CharField(
                        blank=True, default="", help_text="Through whom it was called, if not directly.", max_length=100
                    ),
                ),
                ("model", models.CharField(blank=True, default="", max_length=200)),
                ("service_tier", models.CharField(blank=True, default="", max_length=20)),
                (
                    "calls",
                    models.SmallIntegerField(default=1, help_text="1 for usage, 0 for an adjustment, -1 for a void."),
                ),
                ("errors", models.SmallIntegerField(default=0)),
                ("input_tokens", models.BigIntegerField(default=0)),
                ("output_tokens", models.BigIntegerField(default=0)),
                ("cache_read_tokens", models.BigIntegerField(default=0)),
                ("cache_write_tokens", models.BigIntegerField(default=0)),
                ("cache_write_1h_tokens", models.BigIntegerField(default=0)),
                ("input_audio_tokens", models.BigIntegerField(default=0)),
                ("output_audio_tokens", models.BigIntegerField(default=0)),
                ("reasoning_tokens", models.BigIntegerField(default=0)),
                (
                    "amount",
                    models.DecimalField(
                        decimal_places=12, default=0, help_text="Units of the resource type.", max_digits=24
                    ),
                ),
                ("latency_ms", models.BigIntegerField(blank=True, null=True)),
                (
                    "outcome",
                    models.CharField(
                        choices=[("success", "success"), ("error", "error")], default="success", max_length=10
                    ),
                ),
                ("error_type", models.CharField(blank=True, default="", max_length=200)),
                ("error_message", models.CharField(blank=True, default="", max_length=500)),
                ("is_estimated", models.BooleanField(default=False, help_text="The usage figures are an estimate.")),
                ("usage_missing", models.BooleanField(default=False, help_text="The response carried no usage.")),
                (
                    "cost_usd",
                    models.DecimalField(
                        blank=True,
                        decimal_places=12,
                        help_text="NULL exactly when the price is unknown.",
                        max_digits=24,
                        null=True,
                    ),
                ),
                (
                    "cost_source",
                    models.CharField(
                        choices=[
                            ("reported", "reported"),
                            ("estimated", "estimated"),
                            ("unpriced", "unpriced"),
                            ("free", "free"),
                        ],
                        max_length=10,
                    ),
                ),
                ("unpriced_calls", models.SmallIntegerField(default=0)),
                (
                    "saving_usd",
                    models.DecimalField(
                        decimal_places=12,
                        default=0,
                        help_text="Signed: what a cache, a cascade or compression avoided; no cost.",
                        max_digits=24,
                    ),
                ),
                ("saving_kind", models.CharField(blank=True, default="", max_length=20)),
                ("saving_basis", models.CharField(blank=True, default="", max_length=200)),
                ("metadata", models.JSONField(blank=True, default=dict)),
                (
                    "agent",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="costtrack.agent",
                    ),
                ),
                (
                    "baseline_rate",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="costtrack.rate",
                    ),
                ),
                (
                    "corrects",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="costtrack.resourceusage",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="costtrack.organization",
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="costtrack.project",
                    ),
                ),
                (
                    "rate",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="costtrack.rate",
                    ),
                ),
            ],
            options={
                "verbose_name": "resource usage",
                "verbose_name_plural": "resource usage",
                "indexes": [
                    models.Index(fields=["id"], name="costtrack_usage_id"),
                    models.Index(
                        condition=models.Q(("thread_id", ""), _negated=True),
                        fields=["organization", "thread_id", "day"],
                        name="costtrack_usage_thread",
                    ),
                    models.Index(
                        condition=models.Q(("entity_id", ""), _negated=True),
                        fields=["organization", "entity_type", "entity_id", "day"],
                        name="costtrack_usage_entity",
                    ),
                    models.Index(
                        condition=models.Q(("customer", ""), _negated=True),
                        fields=["organization", "customer", "day"],
                        name="costtrack_usage_customer",
                    ),
                    models.Index(
                        condition=models.Q(("run", ""), _negated=True),
                        fields=["organization", "run"],
                        name="costtrack_usage_run",
                    ),
                    models.Index(
                        condition=models.Q(("corrects__isnull", False)),
                        fields=["organization", "day", "corrects"],
                        name="costtrack_usage_corrects",
                    ),
                    models.Index(
                        condition=models.Q(("cost_source", "unpriced")),
                        fields=["organization", "day"],
                        name="costtrack_usage_unpriced",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["usage", "adjustment", "void"])),
                        name="costtrack_usage_kind_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "usage"), _negated=True),
                            models.Q(
                                ("cache_read_tokens__gte", 0),
                                ("cache_write_1h_tokens__gte", 0),
                                ("cache_write_tokens__gte", 0),
                                ("input_audio_tokens__gte", 0),
                                ("input_tokens__gte", 0),
                                ("output_audio_tokens__gte", 0),
                                ("output_tokens__gte", 0),
                                ("reasoning_tokens__gte", 0),
                            ),
                            _connector="OR",
                        ),
                        name="costtrack_usage_tokens_gte_0",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "usage"), _negated=True),
                            models.Q(
                                (
                                    "input_tokens__gte",
                                    django.db.models.expressions.CombinedExpression(
                                        django.db.models.expressions.CombinedExpression(
                                            django.db.models.expressions.CombinedExpression(
                                                models.F("cache_read_tokens"), "+", models.F("cache_write_tokens")
                                            ),
                                            "+",
                                            models.F("cache_write_1h_tokens"),
                                        ),
                                        "+",
                                        models.F("input_audio_tokens"),
                                    ),
                                ),
                                (
                                    "output_tokens__gte",
                                    django.db.models.expressions.CombinedExpression(
                                        models.F("reasoning_tokens"), "+", models.F("output_audio_tokens")
                                    ),
                                ),
                            ),
                            _connector="OR",
                        ),
                        name="costtrack_usage_parts_within_whole",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "usage"), _negated=True),
                            models.Q(("amount__gte", 0), ("amount__lt", 1000000000000)),
                            _connector="OR",
                        ),
                        name="costtrack_usage_amount_gte_0",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("cost_usd__isnull", True),
                            models.Q(("kind", "usage"), _negated=True),
                            models.Q(("cost_usd__gte", 0), ("cost_usd__lt", 1000000000000)),
                            _connector="OR",
                        ),
                        name="costtrack_usage_cost_gte_0",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("cost_source", "unpriced"), ("cost_usd__isnull", True)),
                            models.Q(
                                ("cost_source__in", ["reported", "estimated", "free"]), ("cost_usd__isnull", False)
                            ),
                            _connector="OR",
                        ),
                        name="costtrack_usage_cost_null_iff_unpriced",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("cost_source", "free"), _negated=True), ("cost_usd", 0), _connector="OR"
                        ),
                        name="costtrack_usage_free_costs_0",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("calls", 1),
                                ("corrects__isnull", True),
                                ("errors__in", [0, 1]),
                                ("kind", "usage"),
                                ("unpriced_calls__in", [0, 1]),
                            ),
                            models.Q(
                                ("calls", 0),
                                ("corrects__isnull", False),
                                ("errors", 0),
                                ("kind", "adjustment"),
                                ("unpriced_calls__in", [0, -1]),
                            ),
                            models.Q(
                                ("calls", -1),
                                ("corrects__isnull", False),
                                ("errors__in", [0, -1]),
                                ("kind", "void"),
                                ("unpriced_calls__in", [0, -1]),
                            ),
                            _connector="OR",
                        ),
                        name="costtrack_usage_kind_figures",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("latency_ms__isnull", True),
                            models.Q(("kind", "usage"), _negated=True),
                            ("latency_ms__gte", 0),
                            _connector="OR",
                        ),
                        name="costtrack_usage_latency_gte_0",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="UsageKey",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "organization_id", "key_hash", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("key_hash", models.UUIDField(help_text="First 128 bits of the SHA-256 of the idempotency key.")),
                ("fingerprint", models.UUIDField(help_text="First 128 bits of the SHA-256 of the usage fields.")),
                ("usage_id", models.BigIntegerField()),
                ("day", models.DateField()),
                (
                    "organization",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="costtrack.organization",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="DailyCostSummary",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "grain",
                    models.CharField(
                        choices=[("pending", "pending"), ("agent", "agent"), ("project", "project")], max_length=8
                    ),
                ),
                (
                    "dimensions_hash",
                    models.UUIDField(
                        blank=True,
                        editable=False,
                        help_text="SHA-256 of the dimensions, 128 bits; NULL while pending.",
                        null=True,
                    ),
                ),
                ("day", models.DateField(help_text="The organization's local date.")),
                ("sprint", models.CharField(blank=True, default="", max_length=200)),
                ("workflow", models.CharField(blank=True, default="", max_length=200)),
                ("endpoint", models.CharField(blank=True, default="", max_length=200)),
                ("provider", models.CharField(blank=True, default="", max_length=100)),
                ("model", models.CharField(blank=True, default="", max_length=200)),
                ("resource_type", models.CharField(blank=True, default="", max_length=50)),
                ("calls", models.BigIntegerField(default=0)),
                ("errors", models.BigIntegerField(default=0)),
                ("unpriced_calls", models.BigIntegerField(default=0)),
                ("input_tokens", models.BigIntegerField(default=0)),
                ("output_tokens", models.BigIntegerField(default=0)),
                ("cache_read_tokens", models.BigIntegerField(default=0)),
                ("cache_write_tokens", models.BigIntegerField(default=0)),
                ("cache_write_1h_tokens", models.BigIntegerField(default=0)),
                ("input_audio_tokens", models.BigIntegerField(default=0)),
                ("output_audio_tokens", models.BigIntegerField(default=0)),
                ("reasoning_tokens", models.BigIntegerField(default=0)),
                ("latency_ms", models.BigIntegerField(default=0)),
                ("amount", models.DecimalField(decimal_places=12, default=0, max_digits=36)),
                ("cost_usd", models.DecimalField(decimal_places=12, default=0, max_digits=36)),
                ("cost_reported_usd", models.DecimalField(decimal_places=12, default=0, max_digits=36)),
                ("cost_estimated_usd", models.DecimalField(decimal_places=12, default=0, max_digits=36)),
                ("saving_usd", models.DecimalField(decimal_places=12, default=0, max_digits=36)),
                (
                    "agent",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="costtrack.agent",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="costtrack.organization",
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="costtrack.project",
                    ),
                ),
            ],
            options={
                "verbose_name": "daily cost summary",
                "verbose_name_plural": "daily cost summaries",
                "base_manager_name": "all_grains",
                "default_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["organization", "grain", "day"], name="costtrack_summary_org_grain"),
                    models.Index(fields=["grain", "day"], name="costtrack_summary_grain_day"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("grain", "pending"), _negated=True),
                        fields=("organization", "grain", "day", "dimensions_hash"),
                        name="costtrack_summary_unique",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("dimensions_hash__isnull", True), ("grain", "pending")),
                            models.Q(("dimensions_hash__isnull", False), ("grain__in", ["agent", "project"])),
                            _connector="OR",
                        ),
                        name="costtrack_summary_grain_known",
                    ),
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("all_grains", django.db.models.manager.Manager()),
            ],
        ),
    ]
