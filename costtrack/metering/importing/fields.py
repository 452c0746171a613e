"""The fields that a column can fill, and how a cell becomes a field's value."""

from __future__ import annotations

from costtrack.domain.tokens import TOKEN_FIELDS
from costtrack.metering.importing.values import (
    Convert,
    count,
    dollars,
    instant,
    json_object,
    number,
    tags,
    text,
    whole_milliseconds,
)

TEXT_FIELDS = (
    "idempotency_key",
    "organization",
    "project",
    "agent",
    "provider",
    "gateway",
    "model",
    "service_tier",
    "resource_type",
    "outcome",
    "error_type",
    "error_message",
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

FIELDS: dict[str, Convert] = {
    "occurred_at": instant,
    **dict.fromkeys(TOKEN_FIELDS, count),
    "amount": number,
    "cost_usd": dollars,
    "latency_ms": whole_milliseconds,
    **dict.fromkeys(TEXT_FIELDS, text),
    "tags": tags,
    "metadata": json_object,
}
"""Every field that can be imported. `cost_usd` is a cost that somebody reported: it wins over any rate."""

USAGE_FIELDS = (*TOKEN_FIELDS, "amount", "cost_usd")
"""At least one of these must be given, else there is nothing to meter."""
