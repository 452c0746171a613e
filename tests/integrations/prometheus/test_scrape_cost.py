"""What a scrape asks of the database: summaries, counters, and of the ledger the corrections alone, by their index."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from costtrack.aggregation.fold import fold_pending
from costtrack.integrations.prometheus.costs import collect_costs
from costtrack.metering.corrections import void_usage
from costtrack.metering.ledger import record_events
from costtrack.models import ResourceUsage
from tests.factories import NOON, make_event, make_organization, make_rate

pytestmark = pytest.mark.django_db

LEDGER = ResourceUsage._meta.db_table
ROWS = 3000


def parts_of_plan(sql: str) -> list[str]:
    """How the database reads each table of a statement, a line each."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            return [row[3] for row in cursor.fetchall()]
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}")
        (plan,) = cursor.fetchone() or ([],)
    found = plan if isinstance(plan, list) else json.loads(plan)
    reads = [node for node in nodes_of(found[0]["Plan"]) if "Relation Name" in node]
    # With what is below: a bitmap of an index has a node of its own.
    return [" ".join(str(one.get(key, "")) for one in nodes_of(node) for key in SHOWN) for node in reads]


SHOWN = ("Node Type", "Relation Name", "Index Name", "Filter")


def nodes_of(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for inner in node.get("Plans", ()):
        yield from nodes_of(inner)


def test_costs_are_read_of_the_summaries_and_of_the_ledger_only_corrections_by_their_index() -> None:
    make_rate()
    make_organization("acme")
    make_organization("other")
    about = [{"organization": slug, "project": "website"} for slug in ("acme", "other")]
    record_events([make_event(occurred_at=NOON - timedelta(minutes=n), attribution=about[n % 2]) for n in range(ROWS)])
    fold_pending()
    void_usage(ResourceUsage.objects.order_by("id")[0], reason="twice")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    with CaptureQueriesContext(connection) as asked:
        list(collect_costs(now=NOON))
    statements = [query["sql"] for query in asked]
    assert len(statements) == 5, statements  # organizations, their zones, the sums, slugs of organizations and projects
    of_ledger = [sql for sql in statements if LEDGER in sql]
    assert len(of_ledger) == 1
    filled = LEDGER if connection.vendor == "sqlite" else f"{LEDGER}_y{NOON:%Y}m{NOON:%m}"  # other months are empty
    parts = [part for part in parts_of_plan(of_ledger[0]) if filled in part]
    assert parts, "the plan names the ledger"
    for part in parts:
        assert "corrects" in part, part
        assert "Seq Scan" not in part, part
        assert not part.startswith("SCAN"), part
