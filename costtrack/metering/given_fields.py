"""What an event is built from: the fields that a caller may give, and how long their texts may be."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from costtrack.domain.events import ResourceType
from costtrack.domain.tokens import TOKEN_FIELDS, TokenUsage
from costtrack.metering.attribution import KNOWN_NAMES, MAX_LENGTHS, AttributionFields


class OtherFields(AttributionFields, total=False):
    """What an event is built from, beside the fields that nearly every call has."""

    resource_type: object
    amount: object
    tokens: TokenUsage | None
    cache_write_tokens: object
    cache_write_1h_tokens: object
    input_audio_tokens: object
    reasoning_tokens: object
    output_audio_tokens: object
    gateway: object
    service_tier: object
    idempotency_key: object
    key_from_provider: bool
    occurred_at: datetime | None
    reported_cost_usd: object
    outcome: object
    error_type: object
    error_message: object
    is_estimated: bool
    usage_missing: bool
    saving_usd: object
    saving_kind: object
    saving_basis: object
    metadata: Mapping[str, Any] | None


class EventFields(OtherFields, total=False):
    """What an event is built from. Whatever is absent or None has UsageEvent's default."""

    model: object
    provider: object
    input_tokens: object
    output_tokens: object
    cache_read_tokens: object
    latency_ms: object


OWN_FIELDS = frozenset(EventFields.__annotations__) - frozenset(KNOWN_NAMES)
COUNTS = frozenset(TOKEN_FIELDS)
LLM_TOKENS = ResourceType.LLM_TOKENS.value
TEXT_LENGTHS = {
    **MAX_LENGTHS,
    "provider": 100,
    "gateway": 100,
    "model": 200,
    "error_type": 200,
    "saving_kind": 20,
    "saving_basis": 200,
}
