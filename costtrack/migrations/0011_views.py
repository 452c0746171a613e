"""Views for BI tools: tokens per entity, cost per day, usage by day, budget status. `docs/views.md` says what they mean.

A later migration that changes a column of a table under a view (PostgreSQL refuses), or on SQLite rebuilds such a table
in any way, has to drop the views first and make them again: put `Views(..., drop=True)` and `Views(...)`, copied with
what they need, round its own operations. The tables are TABLES.
"""

import re

from django.db import migrations, router
from django.db.migrations.operations.base import Operation

TABLES = (
    "costtrack_organization",
    "costtrack_project",
    "costtrack_resourceusage",
    "costtrack_dailycostsummary",
    "costtrack_budget",
    "costtrack_budgetcounter",
)

TOKENS = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
)

SUMS = """
    {count(calls)} AS calls,
    {count(errors)} AS errors,
    {count(unpriced_calls)} AS unpriced_calls,
    TOKENS,
    {count(input_tokens + t.output_tokens)} AS total_tokens,
    CASE
        WHEN sum(t.calls) > 0 AND sum(t.calls) <= sum(t.unpriced_calls) AND coalesce({money(cost_usd)}, 0) = 0 THEN NULL
        ELSE coalesce({money(cost_usd)}, 0)
    END AS cost_usd""".replace("TOKENS", ",\n    ".join(f"{{count({name})}} AS {name}" for name in TOKENS))

OF_ENTITY = "organization_id, organization, entity_id AS {name}_id, calls, errors, unpriced_calls"
OF_ENTITY = f"{OF_ENTITY}, {', '.join(TOKENS)}, total_tokens, cost_usd, first_day, last_day"

VIEWS = {
    "costtrack_v_tokens_per_entity": f"""
SELECT
    t.organization_id,
    o.slug AS organization,
    t.entity_type,
    t.entity_id,{SUMS},
    min(t.day) AS first_day,
    max(t.day) AS last_day
FROM costtrack_resourceusage t
JOIN costtrack_organization o ON o.id = t.organization_id
WHERE t.entity_id <> ''
GROUP BY t.organization_id, o.slug, t.entity_type, t.entity_id
""",
    "costtrack_v_tokens_per_analysis": f"""
SELECT {OF_ENTITY.format(name="analysis")}
FROM costtrack_v_tokens_per_entity
WHERE entity_type = 'analysis'
""",
    "costtrack_v_tokens_per_hypothesis": f"""
SELECT {OF_ENTITY.format(name="hypothesis")}
FROM costtrack_v_tokens_per_entity
WHERE entity_type = 'hypothesis'
""",
    "costtrack_v_cost_per_day": f"""
SELECT
    t.organization_id,
    o.slug AS organization,
    t.day,{SUMS},
    {{money(cost_reported_usd)}} AS cost_reported_usd,
    {{money(cost_estimated_usd)}} AS cost_estimated_usd,
    {{money(saving_usd)}} AS saving_usd
FROM costtrack_dailycostsummary t
JOIN costtrack_organization o ON o.id = t.organization_id
WHERE t.grain IN ('project', 'pending')
GROUP BY t.organization_id, o.slug, t.day
""",
    "costtrack_resource_usage_by_day": f"""
SELECT
    t.organization_id,
    o.slug AS organization,
    t.project_id,
    coalesce(p.slug, '') AS project,
    t.day,
    t.resource_type,
    t.provider,
    t.model,{SUMS},
    {{money(amount)}} AS amount
FROM costtrack_dailycostsummary t
JOIN costtrack_organization o ON o.id = t.organization_id
LEFT JOIN costtrack_project p ON p.id = t.project_id
WHERE t.grain IN ('project', 'pending')
GROUP BY t.organization_id, o.slug, t.project_id, p.slug, t.day, t.resource_type, t.provider, t.model
""",
    "costtrack_v_budget_status": """
SELECT
    b.organization_id,
    o.slug AS organization,
    b.id AS budget_id,
    b.name AS budget,
    b.metric,
    b.period,
    b.enforcement,
    b.per,
    b.is_active,
    c.subject,
    c.period_start,
    c.period_end,
    b."limit",
    c.spent,
    c.held,
    c.leased,
    CASE
        WHEN {figure(b."limit" - c.spent - c.held - c.leased)} < 0 THEN 0
        ELSE {figure(b."limit" - c.spent - c.held - c.leased)}
    END AS remaining,
    CASE WHEN b."limit" > 0 THEN round(c.spent * 100.0 / b."limit", 2) END AS percent,
    CASE
        WHEN NOT b.is_active THEN 'resting'
        WHEN b."limit" IS NULL THEN 'unlimited'
        WHEN c.id IS NULL THEN NULL
        WHEN {figure(c.spent - b."limit")} >= 0 THEN 'over'
        WHEN {figure((c.spent + c.held + c.leased) * 100 - b."limit" * 80)} >= 0 THEN 'near'
        ELSE 'ok'
    END AS state
FROM costtrack_budget b
JOIN costtrack_organization o ON o.id = b.organization_id
LEFT JOIN costtrack_budgetcounter c
    ON c.budget_id = b.id AND b.is_active
    AND c.period_start <= {now} AND (c.period_end IS NULL OR c.period_end > {now})
""",
}
"""In the order in which they can be made."""

NOW = {"postgresql": "now()", "sqlite": "strftime('%Y-%m-%d %H:%M:%f', 'now')"}
"""As Django stores instants."""


def select_of(name, vendor):
    """A view's SELECT: `{count(x)}` is a sum of whole numbers, `{money(x)}` of decimals, `{figure(x)}` a decimal."""
    decimal = r"\1" if vendor == "postgresql" else r"round(\1, 9)"  # SQLite's floats are right to a nano-dollar
    text = VIEWS[name].replace("{now}", NOW[vendor])
    text = re.sub(r"\{money\((.+?)\)\}", r"{figure(sum(t.\1))}", text)
    text = re.sub(r"\{count\((.+?)\)\}", r"CAST(sum(t.\1) AS bigint)", text)
    return re.sub(r"\{figure\((.+?)\)\}", decimal, text)


class Views(Operation):
    """Make the views; with `drop` the other way round: drop them."""

    reduces_to_sql = True
    reversible = True

    def __init__(self, *, drop=False):
        self.drop = drop

    def state_forwards(self, app_label, state):
        """Models stay as they are."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        self._run(schema_editor, app_label, drop=self.drop)

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        self._run(schema_editor, app_label, drop=not self.drop)

    def describe(self):
        return f"{'Drop' if self.drop else 'Make'} the views for BI tools"

    @staticmethod
    def _run(schema_editor, app_label, *, drop):
        vendor = schema_editor.connection.vendor
        if vendor not in NOW:
            return
        if not router.allow_migrate(schema_editor.connection.alias, app_label, model_name="resourceusage"):
            return
        for name in reversed(VIEWS) if drop else VIEWS:
            schema_editor.execute(
                f"DROP VIEW {name}" if drop else f"CREATE VIEW {name} AS {select_of(name, vendor)}", None
            )


class Migration(migrations.Migration):
    dependencies = [
        ("costtrack", "0010_plans"),
    ]

    operations = [Views()]
