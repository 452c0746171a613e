"""A call booked the short way: its ledger row and what it adds to the summaries."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from costtrack.models import Agent, DailyCostSummary, Organization, Project, ResourceUsage
from costtrack.models.summaries import AGENT_DIMENSIONS

NOVEMBER_16 = date(2023, 11, 16)


def organization(slug: str = "acme", timezone: str = "UTC") -> Organization:
    return Organization.objects.create(slug=slug, timezone=timezone)


def agent(owner: Organization, path: str) -> Agent:
    """The agent `project/agent` of the organization."""
    project_slug, slug = path.split("/")
    project, _ = Project.objects.get_or_create(organization=owner, slug=project_slug)
    return Agent.objects.get_or_create(project=project, slug=slug)[0]


def book(
    owner: Organization, cost: str | None, *, day: date = NOVEMBER_16, at: datetime | None = None, **fields: Any
) -> ResourceUsage:
    """A call of that cost in USD, None meaning unpriced; gpt-4 and the endpoint "chat" unless said otherwise."""
    unpriced = cost is None
    row = ResourceUsage.objects.create(
        **{
            "organization": owner,
            "day": day,
            "occurred_at": at or datetime(day.year, day.month, day.day, 12, tzinfo=UTC),
            "recorded_at": datetime(2024, 1, 1, tzinfo=UTC),
            "resource_type": "llm_tokens",
            "model": "gpt-4",
            "endpoint": "chat",
            "cost_usd": None if cost is None else Decimal(cost),
            "cost_source": "unpriced" if unpriced else "estimated",
            "unpriced_calls": int(unpriced),
            **fields,
        }
    )
    sums = ("calls", "errors", "unpriced_calls", "timed_calls", "input_tokens", "output_tokens", "amount", "saving_usd")
    known = row.cost_usd or Decimal(0)
    DailyCostSummary.all_grains.create(
        grain="pending",
        latency_ms=row.latency_ms or 0,
        cost_usd=known,
        cost_reported_usd=known if row.cost_source == "reported" else 0,
        cost_estimated_usd=known if row.cost_source == "estimated" else 0,
        **{name: getattr(row, name) for name in (*AGENT_DIMENSIONS, *sums)},
    )
    return row


def void(row: ResourceUsage, *, at: datetime = datetime(2024, 1, 2, tzinfo=UTC)) -> ResourceUsage:
    """Take the whole call back."""
    owner = row.organization
    cost = None if row.cost_usd is None else str(-row.cost_usd)
    same = ("resource_type", "model", "endpoint", "thread_id", "entity_type", "entity_id", "cost_source")
    return book(
        owner,
        cost,
        day=row.day,
        at=at,
        kind="void",
        corrects=row,
        calls=-row.calls,
        input_tokens=-row.input_tokens,
        output_tokens=-row.output_tokens,
        latency_ms=None if row.latency_ms is None else -row.latency_ms,
        **{"unpriced_calls": -row.unpriced_calls, **{name: getattr(row, name) for name in same}},
    )
