"""From a priced event to the values of its ledger row and of the summary it adds to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import orjson

from costtrack.domain.events import CostSource, Outcome, UsageEvent
from costtrack.domain.tokens import TOKEN_FIELDS
from costtrack.pricing.price import Priced

ATTRIBUTION_COLUMNS = (
    "sprint",
    "workflow",
    "stage",
    "thread_id",
    "request_id",
    "entity_type",
    "entity_id",
    "endpoint",
    "customer",
    "user",
    "run",
)
"""The texts that say who caused a call, beside its owners."""

LEDGER_COLUMNS = (
    "id",
    "organization_id",
    "project_id",
    "agent_id",
    "kind",
    "corrects_id",
    "reason",
    "idempotency_key",
    "occurred_at",
    "recorded_at",
    "day",
    *ATTRIBUTION_COLUMNS,
    "tags",
    "resource_type",
    "provider",
    "gateway",
    "model",
    "service_tier",
    "calls",
    "errors",
    *TOKEN_FIELDS,
    "amount",
    "latency_ms",
    "outcome",
    "error_type",
    "error_message",
    "is_estimated",
    "usage_missing",
    "cost_usd",
    "cost_source",
    "unpriced_calls",
    "rate_id",
    "saving_usd",
    "saving_kind",
    "saving_basis",
    "baseline_rate_id",
    "metadata",
)
"""The order in which a ledger row's values are written: the id, then what `ledger_values` gives."""

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Owner:
    """Whom an event belongs to, and on which of the organization's days."""

    organization_id: int
    project_id: int | None
    agent_id: int | None
    day: date
    is_sent: bool = False
    """Some webhook wants the organization's usage."""


def json_text(value: Any) -> str:
    """Compact JSON; an empty mapping, by far the commonest, costs nothing."""
    return orjson.dumps(value).decode() if value else "{}"


def ledger_values(
    event: UsageEvent, owner: Owner, priced: Priced, *, metadata: dict[str, Any], recorded_at: Any, null: str | None
) -> tuple[Any, ...]:
    """The row's values in the order of LEDGER_COLUMNS, less the id; `null` stands where a value is missing."""
    attribution, tokens = event.attribution, event.tokens
    return (
        owner.organization_id,
        owner.project_id or null,
        owner.agent_id or null,
        "usage",
        null,
        "",
        event.idempotency_key,
        event.occurred_at,
        recorded_at,
        owner.day,
        attribution.sprint,
        attribution.workflow,
        attribution.stage,
        attribution.thread_id,
        attribution.request_id,
        attribution.entity_type,
        attribution.entity_id,
        attribution.endpoint,
        attribution.customer,
        attribution.user,
        attribution.run,
        json_text(attribution.tags),
        event.resource_type,
        priced.provider,
        priced.gateway,
        priced.model,
        priced.service_tier,
        1,
        1 if event.outcome == Outcome.ERROR else 0,
        tokens.input_tokens,
        tokens.output_tokens,
        tokens.cache_read_tokens,
        tokens.cache_write_tokens,
        tokens.cache_write_1h_tokens,
        tokens.input_audio_tokens,
        tokens.reasoning_tokens,
        tokens.output_audio_tokens,
        event.amount,
        null if event.latency_ms is None else event.latency_ms,
        event.outcome,
        event.error_type,
        event.error_message,
        event.is_estimated,
        event.usage_missing,
        null if priced.cost_usd is None else priced.cost_usd,
        priced.cost_source,
        1 if priced.cost_usd is None else 0,
        priced.rate_id or null,
        event.saving_usd,
        event.saving_kind,
        event.saving_basis,
        null,
        json_text(metadata),
    )


@dataclass(slots=True)
class SummaryPart:
    """What one ledger row adds to its summary: the dimensions, whole numbers and decimals, in their fixed orders."""

    dimensions: tuple[Any, ...]
    """Values of models.summaries.AGENT_DIMENSIONS."""
    counts: tuple[int, ...]
    """Values of COUNT_SUMS."""
    decimals: tuple[Decimal, ...]
    """Values of DECIMAL_SUMS."""


def summary_part(event: UsageEvent, owner: Owner, priced: Priced) -> SummaryPart:
    """What a usage adds to its day's summary."""
    attribution, tokens = event.attribution, event.tokens
    cost = priced.cost_usd or ZERO
    return SummaryPart(
        (
            owner.organization_id,
            owner.day,
            owner.project_id,
            owner.agent_id,
            attribution.sprint,
            attribution.workflow,
            attribution.endpoint,
            priced.provider,
            priced.model,
            event.resource_type,
        ),
        (
            1,
            1 if event.outcome == Outcome.ERROR else 0,
            1 if priced.cost_usd is None else 0,
            tokens.input_tokens,
            tokens.output_tokens,
            tokens.cache_read_tokens,
            tokens.cache_write_tokens,
            tokens.cache_write_1h_tokens,
            tokens.input_audio_tokens,
            tokens.reasoning_tokens,
            tokens.output_audio_tokens,
            event.latency_ms or 0,
            0 if event.latency_ms is None else 1,
        ),
        (
            event.amount,
            cost,
            cost if priced.cost_source == CostSource.REPORTED else ZERO,
            cost if priced.cost_source == CostSource.ESTIMATED else ZERO,
            event.saving_usd,
        ),
    )


@dataclass(slots=True)
class StagedUsage:
    """An event ready to be written: its hashes, its ledger values and what it adds to its summary."""

    event: UsageEvent
    owner: Owner
    priced: Priced
    key_hash: str
    fingerprint: str
    values: tuple[Any, ...]
    part: SummaryPart
    usage_id: int = 0
    """Given when the batch is written."""

    @property
    def key(self) -> tuple[int, str]:
        """What is unique: (organization, hash of the idempotency key)."""
        return (self.owner.organization_id, self.key_hash)
