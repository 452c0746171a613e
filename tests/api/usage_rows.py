"""The ledger's rows as the API lists them, and many of them at once."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django.test import Client

from costtrack.metering.ledger import record_events
from costtrack.models import Organization, ResourceUsage
from tests.api.callers import ROOT
from tests.factories import NOON, make_event

FULL: dict[str, Any] = {
    "project": "website",
    "agent": "writer",
    "sprint": "s1",
    "workflow": "w1",
    "stage": "draft",
    "thread_id": "t1",
    "request_id": "r1",
    "entity_type": "job",
    "entity_id": "42",
    "endpoint": "chat",
    "customer": "c1",
    "user": "7",
    "run": "run1",
}


def listed(client: Client, **question: Any) -> list[dict[str, Any]]:
    """The rows of the first page."""
    answer = client.get(ROOT + "usage", question)
    assert answer.status_code == 200, answer.content
    rows: list[dict[str, Any]] = answer.json()["results"]
    return rows


def walked(client: Client, **question: Any) -> Iterator[list[int]]:
    """The ids on every page, from the first to the one without a `next`."""
    answer = client.get(ROOT + "usage", question)
    while True:
        assert answer.status_code == 200, answer.content
        page = answer.json()
        yield [row["id"] for row in page["results"]]
        if page["next"] is None:
            return
        answer = client.get(page["next"])


def all_of(client: Client, **question: Any) -> list[int]:
    return [key for page in walked(client, **question) for key in page]


def ids(**lookups: Any) -> list[int]:
    """Those in the ledger, newest first."""
    return list(ResourceUsage.objects.filter(**lookups).order_by("-day", "-id").values_list("id", flat=True))


def record(**fields: Any) -> int:
    """The id of the row of such an event."""
    [result] = record_events([make_event(**fields)])
    assert result.usage_id is not None
    return result.usage_id


def bulk(owner: Organization, count: int, **fields: Any) -> None:
    """So many rows of one instant."""
    same = {
        "organization": owner,
        "day": NOON.date(),
        "occurred_at": NOON,
        "recorded_at": NOON,
        "resource_type": "llm_tokens",
        "model": "gpt-4",
        "cost_usd": Decimal("0.06"),
        "cost_source": "estimated",
    }
    ResourceUsage.objects.bulk_create([ResourceUsage(**{**same, **fields}) for _ in range(count)])
