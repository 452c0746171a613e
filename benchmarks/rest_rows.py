"""A ledger to read from: so many rows over 90 days, skewed, with the summaries that belong to them.

200 organizations, each with 10 projects of 10 agents, and 30 models with prices from the maintained list. Who calls
what follows Zipf's law (the n-th has 1/n of the first's share) at each of the four levels, so that the first
organization has 17 % of the rows. Which row it is depends on its number alone, not on the run; the last of the days is
yesterday.

The database makes the rows: a client could not send them as fast. Foreign keys are not checked meanwhile, and the
idempotency keys of the rows are left out: no read looks at them. The summaries are made of the same rows by
the SQL that rebuilds them, day by day, so that they lie in the table as they do in life.
"""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

DAYS = 90
ORGANIZATIONS, PROJECTS, AGENTS, MODELS = 200, 10, 10, 30
"""Of each organization so many projects, of each project so many agents."""
FEATURES = 1
"""Endpoints of each project, unless more are asked for."""

ROWS = """
SELECT
    {organization} + o, {project} + o * {projects} + p, {agent} + (o * {projects} + p) * {agents} + a,
    'usage', NULL::bigint, '', 'key-' || n, at, at, day,
    'sprint-' || extract(week FROM day), '', '',
    CASE WHEN r2 < 0.8 THEN 'thread-' || n / 3000 || '-' || p || a ELSE '' END, 'request-' || n,
    CASE WHEN r2 < 0.1 THEN 'job' ELSE '' END, CASE WHEN r2 < 0.1 THEN (n / 5)::text ELSE '' END,
    'feature-' || p || '-' || f, CASE WHEN r3 < 0.5 THEN 'customer-' || (r3 * 2000)::int ELSE '' END, '',
    CASE WHEN r2 >= 0.9 THEN 'run-' || (n / 20) ELSE '' END, jsonb '{{}}',
    'llm_tokens', provider, '', model, 'standard', 1, (r4 < 0.02)::int,
    input_tokens, output_tokens, 0, 0, 0, 0, 0, 0,
    input_tokens + output_tokens, (200 + 5000 * r1)::bigint, CASE WHEN r4 < 0.02 THEN 'error' ELSE 'success' END, '',
    '', false, false,
    CASE WHEN r4 < 0.99 THEN (input_tokens * input_price + output_tokens * output_price) * 0.000001 END,
    CASE WHEN r4 < 0.99 THEN 'estimated' ELSE 'unpriced' END, (r4 >= 0.99)::int, CASE WHEN r4 < 0.99 THEN rate_id END,
    0, '', '', NULL::bigint, jsonb '{{"finish_reason": "stop"}}'
FROM (
    SELECT n, %(day)s::date AS day, (%(day)s::date + random() * interval '1 day') AT TIME ZONE 'UTC' AS at,
        width_bucket(random(), %(organizations)s::float8[]) AS o, width_bucket(random(), %(projects)s::float8[]) AS p,
        width_bucket(random(), %(agents)s::float8[]) AS a, width_bucket(random(), %(models)s::float8[]) AS m,
        width_bucket(random(), %(features)s::float8[]) AS f,
        (50 + 8000 * power(random(), 3))::bigint AS input_tokens,
        (1 + 900 * power(random(), 2))::bigint AS output_tokens,
        random() AS r1, random() AS r2, random() AS r3, random() AS r4
    FROM generate_series(%(first)s, %(last)s) AS n
) AS drawn JOIN priced_models USING (m)
"""
"""Those with the numbers from `first` to `last`, in the order of the ledger's columns."""


@dataclass(frozen=True, kw_only=True)
class Filled:
    """What is in the database."""

    organization: Any
    """The one with the most rows."""
    rows: int
    own_rows: int
    """The organization's."""
    end: date
    """The day after the last one with rows."""

    @property
    def start(self) -> date:
        """The first day with rows."""
        return self.end - timedelta(days=DAYS)


def fill(rows: int, *, features: int = FEATURES) -> Filled:
    """Migrate an empty database and put that many rows into it; one that this has filled before is taken as it is."""
    from django.core.management import call_command
    from django.db import connection

    from costtrack.models import Organization

    call_command("migrate", verbosity=0)
    if not Organization.objects.exists():
        started = time.perf_counter()
        call_command("load_rates", verbosity=0, stdout=io.StringIO())
        owners = _make_owners()
        _make_rows(rows, owners, features=features)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
        print(f"filled in {time.perf_counter() - started:.0f} s")
    return _found()


def _found() -> Filled:
    from django.db.models import Count, Max

    from costtrack.aggregation import verify_books
    from costtrack.models import Organization, ResourceUsage

    found = ResourceUsage.objects.aggregate(rows=Count("*"), last=Max("day"))
    organization = Organization.objects.earliest("pk")
    own_rows = ResourceUsage.objects.filter(organization=organization).count()
    if verify_books(start=found["last"], end=found["last"] + timedelta(days=1)):
        raise SystemExit("The summaries are not the ledger's.")
    end = found["last"] + timedelta(days=1)
    return Filled(organization=organization, rows=found["rows"], own_rows=own_rows, end=end)


def _make_owners() -> dict[str, int]:
    """All of them; the first id of each kind, after which the others follow."""
    from costtrack.models import Agent, Organization, Project

    organizations = Organization.objects.bulk_create(
        [Organization(slug=f"org-{number}") for number in range(ORGANIZATIONS)]
    )
    projects = Project.objects.bulk_create(
        [Project(organization=one, slug=f"p{number}") for one in organizations for number in range(PROJECTS)]
    )
    agents = Agent.objects.bulk_create(
        [Agent(project=one, slug=f"a{number}") for one in projects for number in range(AGENTS)]
    )
    made = {"organization": organizations, "project": projects, "agent": agents}
    for name, of_kind in made.items():
        if [one.pk for one in of_kind] != list(range(of_kind[0].pk, of_kind[0].pk + len(of_kind))):
            raise SystemExit(f"The ids of {name} rows do not follow one another: fill an empty database.")
    return {name: of_kind[0].pk for name, of_kind in made.items()}


def _make_rows(rows: int, owners: dict[str, int], *, features: int) -> None:
    from django.db import connection

    from costtrack.aggregation.sql import LEDGER_SUMS, PLAIN_SUMS, SUMMARY_TABLE, insert_grain
    from costtrack.metering.ledger.backends import LEDGER_TABLE, quoted
    from costtrack.metering.ledger.rows import LEDGER_COLUMNS
    from costtrack.metering.partitions import create_partitions
    from costtrack.models.summaries import AGENT, GRAINS

    end = datetime.now(UTC).date()
    days = [end - timedelta(days=DAYS - number) for number in range(DAYS)]
    create_partitions(days)
    columns = [name for name in LEDGER_COLUMNS if name != "id"]
    select = ROWS.format(**owners, projects=PROJECTS, agents=AGENTS)
    insert = f"""
        WITH booked AS (
            INSERT INTO {LEDGER_TABLE} ({quoted(columns)}) {select} RETURNING *
        )
    """
    agent_grain = insert_grain("postgresql", AGENT, "booked", LEDGER_SUMS).replace("%", "%%")
    agent_rows = f"{SUMMARY_TABLE} WHERE grain = '{AGENT}' AND day = %s"
    shares = {
        "organizations": _shares(ORGANIZATIONS),
        "projects": _shares(PROJECTS),
        "agents": _shares(AGENTS),
        "models": _shares(MODELS),
        "features": _shares(features),
    }
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # foreign keys are right by the way they are made
        cursor.execute("SET work_mem = '256MB'")
        cursor.execute("SET synchronous_commit = off")
        _price_models(cursor)
        for number, day in enumerate(days):
            first, last = rows * number // DAYS, rows * (number + 1) // DAYS - 1
            cursor.execute("SELECT setseed(%s)", [number / DAYS])
            cursor.execute(insert + agent_grain, {**shares, "day": day, "first": first, "last": last})
            for grain in GRAINS:
                if grain != AGENT:
                    cursor.execute(insert_grain("postgresql", grain, agent_rows, PLAIN_SUMS), [day])
        for setting in ("session_replication_role", "work_mem", "synchronous_commit"):
            cursor.execute(f"RESET {setting}")


def _price_models(cursor: Any) -> None:
    """A table of models, the first of them the one that is used most, with prices that are simple to multiply by."""
    cursor.execute(
        """
        CREATE TEMPORARY TABLE priced_models AS
        SELECT row_number() OVER (ORDER BY provider, model)::int - 1 AS m, provider, model, id AS rate_id,
            input_usd_per_million AS input_price, output_usd_per_million AS output_price
        FROM costtrack_rate AS rate
        WHERE provider IN ('anthropic', 'google', 'openai') AND service_tier = 'standard' AND request_usd IS NULL
            AND resource_type = 'llm_tokens' AND input_usd_per_million > 0 AND output_usd_per_million > 0
            AND NOT EXISTS (SELECT 1 FROM costtrack_ratetier WHERE rate_id = rate.id)
            AND NOT EXISTS (SELECT 1 FROM costtrack_rate o WHERE (o.provider, o.model) = (rate.provider, rate.model)
                AND o.service_tier = 'standard' AND o.id <> rate.id)
        ORDER BY provider, model LIMIT %s
        """,
        [MODELS],
    )
    if cursor.rowcount != MODELS:
        raise SystemExit(f"The list of prices has {cursor.rowcount} such models, not {MODELS}.")
    cursor.execute("UPDATE costtrack_rate SET is_used = true WHERE id IN (SELECT rate_id FROM priced_models)")


def _shares(count: int) -> Sequence[float]:
    """Up to where each but the last reaches, of a line from 0 to 1 on which the n-th has a part of 1/n."""
    whole = sum(1 / number for number in range(1, count + 1))
    reached, edges = 0.0, []
    for number in range(1, count):
        reached += 1 / number / whole
        edges.append(reached)
    return edges
