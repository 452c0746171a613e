"""Batches of events for one organization: posted, and given to the ledger's writer; and budgets that count them."""

from __future__ import annotations

import random
import statistics
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from rest_site import Site
from timing import paired

BATCH = 1000
INGEST_BAR = 0.25
MODELS = ["gpt-4o", "gpt-4o-mini", "claude-3-5-sonnet-20241022", "claude-3-haiku-20240307", "o3-mini"]


def compare_ingest(organization: Any, site: Site, pairs: int) -> int:
    """Batches of the same kind, the one posted, the other given to the ledger's writer; is the bar missed?"""
    import orjson

    from costtrack.api.event_input import EVENT, cleaned, event_fields
    from costtrack.metering.events import build_event
    from costtrack.metering.ledger import RecordStatus, record_events

    now, traffic = datetime.now(UTC), random.Random(20261124)
    run = f"{now.timestamp():.0f}"

    def batch(side: str, number: int) -> list[dict[str, Any]]:
        return [event(traffic, f"{run}-{side}-{number}-{index}", now=now) for index in range(BATCH)]

    bodies = iter([orjson.dumps(batch("rest", number)) for number in range(pairs + 1)])
    of_writer = iter(
        [
            [
                build_event(now=now, organization=organization.slug, **event_fields(cleaned(one, EVENT)))
                for one in batch("writer", number)
            ]
            for number in range(pairs + 1)
        ]
    )

    def post() -> None:
        headers = {"Content-Type": "application/json"}
        _, told = site.send("POST", "/api/costs/usage", body=next(bodies), headers=headers, status=202)
        if orjson.loads(told)["accepted"] != BATCH:
            raise SystemExit("The benchmark's events were not accepted.")

    def write() -> None:
        results = record_events(next(of_writer), creates_partitions=True)
        if any(result.status is not RecordStatus.RECORDED for result in results):
            raise SystemExit("The benchmark's events were not recorded.")

    measured = paired(post, write, pairs=pairs)
    ratio = 1 / measured.ratio
    held = ratio >= INGEST_BAR
    print(
        f"{'POST usage, 1,000 events':<36} writer {BATCH / statistics.median(measured.theirs):>7,.0f} events/s   "
        f"REST {BATCH / statistics.median(measured.ours):>7,.0f} events/s   "
        f"rate {ratio:.2f} of it (bar {INGEST_BAR:.2f})   {'ok' if held else 'MISSED'}"
    )
    return 0 if held else 1


def make_budgets(organization: Any) -> None:
    """One of the month and the whole organization, one of each of five projects, one for each agent."""
    from costtrack.budgets.changes import create_budget
    from costtrack.metering.events import build_event
    from costtrack.metering.ledger import record_events
    from costtrack.models import Budget, Project

    if Budget.objects.filter(organization=organization).exists():
        return
    projects = Project.objects.filter(organization=organization).order_by("pk")[:5]
    for scope in ({}, *({"project": project} for project in projects), {"per": "agent"}):
        create_budget(organization=organization, period="month", enforcement="soft", limit=Decimal(1_000_000), **scope)
    now, traffic = datetime.now(UTC), random.Random(1)
    fields = [event(traffic, f"budgets-{index}", now=now) for index in range(BATCH)]
    for one in fields:
        one["occurred_at"] = now
    record_events([build_event(now=now, organization=organization.slug, **one) for one in fields])


def event(traffic: random.Random, key: str, *, now: datetime) -> dict[str, Any]:
    """A call as a client sends it."""

    def pick(count: int) -> int:
        return min(int(traffic.paretovariate(1.1)) - 1, count - 1)

    return {
        "idempotency_key": key,
        "occurred_at": (now - timedelta(seconds=traffic.randrange(3600))).isoformat(),
        "model": MODELS[pick(len(MODELS))],
        "input_tokens": traffic.randint(50, 8000),
        "output_tokens": traffic.randint(1, 900),
        "latency_ms": traffic.randrange(5000),
        "project": f"p{pick(10)}",
        "agent": f"a{pick(10)}",
        "endpoint": f"feature-{pick(8)}",
        "thread_id": f"thread-{traffic.randrange(100_000)}",
        "request_id": f"{traffic.getrandbits(64):016x}",
        "metadata": {"finish_reason": "stop", "temperature": "0.2"},
    }
