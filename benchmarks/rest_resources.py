"""Resources other than tokens, of all organizations: GPU time, tool calls and searches, each for a job."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

RESOURCES = 50_000
"""Over the last 30 days: of 100 records of that time about one and a half."""
BATCH = 1000
KINDS = (
    ("gpu_seconds", "A100", "own"),
    ("gpu_seconds", "H100", "own"),
    ("api_call", "", "maps"),
    ("api_call", "", "translate"),
    ("web_search", "", "searcher"),
)
"""Of each its type, model and provider."""


def make_resources() -> None:
    """Record and fold them, if that was not done before."""
    from costtrack.aggregation import fold_pending
    from costtrack.metering.events import build_event
    from costtrack.metering.ledger import record_events
    from costtrack.models import DailyCostSummary, Organization
    from costtrack.models.summaries import SITE

    if DailyCostSummary.objects.at_grain(SITE).filter(resource_type=KINDS[0][0]).exists():
        return
    now, traffic = datetime.now(UTC), random.Random(20261127)
    slugs = list(Organization.objects.order_by("pk").values_list("slug", flat=True))
    for first in range(0, RESOURCES, BATCH):
        events = [_resource(traffic, slugs, number, now=now) for number in range(first, first + BATCH)]
        record_events([build_event(now=now, **one) for one in events], creates_partitions=True)
    fold_pending()


def _resource(traffic: random.Random, slugs: list[str], number: int, *, now: datetime) -> dict[str, Any]:
    resource_type, model, provider = traffic.choice(KINDS)
    return {
        "organization": traffic.choice(slugs),
        "project": f"p{traffic.randrange(10)}",
        "agent": f"a{traffic.randrange(10)}",
        "endpoint": "tools",
        "idempotency_key": f"resource-{number}",
        "occurred_at": now - timedelta(seconds=traffic.randrange(30 * 86_400)),
        "resource_type": resource_type,
        "model": model,
        "provider": provider,
        "amount": Decimal(traffic.randint(1, 3600) if resource_type == "gpu_seconds" else 1),
        "reported_cost_usd": Decimal(traffic.randint(1, 1000)) / 1000,
        "entity_type": "job",
        "entity_id": f"{traffic.randrange(5000)}",
    }
