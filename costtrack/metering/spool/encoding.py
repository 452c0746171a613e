"""One event as one line of a segment: a checksum, the time it was spooled, and its fields in a fixed order.

A line is `crc32 of the rest, 8 hex digits`, a blank, a JSON array, a line feed. Fields may be appended to the array
under the same format version: what an older line lacks has its default.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zlib import crc32

import orjson

from costtrack.domain.events import Attribution, UsageEvent
from costtrack.domain.money import decimal_text
from costtrack.domain.tokens import TokenUsage
from costtrack.exceptions import CostTrackError

CHECKSUM_BYTES = 9
"""Eight hex digits and a blank."""


class DamagedRecord(CostTrackError, ValueError):
    """A line of a segment is not what was written; `raw` holds its bytes."""

    def __init__(self, reason: str, raw: bytes) -> None:
        self.reason = reason
        self.raw = raw
        super().__init__(f"{reason}: {base64.b64encode(raw[:60]).decode()}")


@dataclass(frozen=True, slots=True)
class SpooledEvent:
    """An event as it came back from a segment."""

    event: UsageEvent
    spooled_ms: int
    """When it was first spooled, in milliseconds since 1970."""


def encode(event: UsageEvent, spooled_ms: int) -> bytes:
    """The event's line."""
    attribution, tokens = event.attribution, event.tokens
    cost = event.reported_cost_usd
    body = orjson.dumps(
        (
            spooled_ms,
            event.idempotency_key,
            event.key_from_provider,
            event.occurred_at,
            (
                attribution.organization,
                attribution.project,
                attribution.agent,
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
                attribution.tags,
            ),
            event.resource_type,
            decimal_text(event.amount),
            (
                tokens.input_tokens,
                tokens.output_tokens,
                tokens.cache_read_tokens,
                tokens.cache_write_tokens,
                tokens.cache_write_1h_tokens,
                tokens.input_audio_tokens,
                tokens.reasoning_tokens,
                tokens.output_audio_tokens,
            ),
            event.provider,
            event.gateway,
            event.model,
            event.service_tier,
            None if cost is None else decimal_text(cost),
            event.latency_ms,
            event.outcome,
            event.error_type,
            event.error_message,
            event.is_estimated,
            event.usage_missing,
            decimal_text(event.saving_usd),
            event.saving_kind,
            event.saving_basis,
            event.metadata,
        )
    )
    return b"%08x %b\n" % (crc32(body), body)


_ATTRIBUTION = (
    "organization",
    "project",
    "agent",
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
    "tags",
)
_TOKENS = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "input_audio_tokens",
    "reasoning_tokens",
    "output_audio_tokens",
)


def decode(line: bytes) -> SpooledEvent:
    """The event of a line, without its line feed. Raises DamagedRecord."""
    body = line[CHECKSUM_BYTES:]
    if line[:CHECKSUM_BYTES] != b"%08x " % crc32(body):
        raise DamagedRecord("The checksum does not match", line)
    try:
        return _event(orjson.loads(body))
    except (ValueError, TypeError, IndexError, ArithmeticError) as error:  # written by other code than this
        raise DamagedRecord(f"The record can not be read ({type(error).__name__}: {error})", line) from error


def _event(values: list[object]) -> SpooledEvent:
    (
        spooled_ms,
        idempotency_key,
        key_from_provider,
        occurred_at,
        attribution,
        resource_type,
        amount,
        tokens,
        provider,
        gateway,
        model,
        service_tier,
        cost,
        latency_ms,
        outcome,
        error_type,
        error_message,
        is_estimated,
        usage_missing,
        saving_usd,
        saving_kind,
        saving_basis,
        metadata,
        *_,
    ) = values
    event = UsageEvent(
        idempotency_key=idempotency_key,  # type: ignore[arg-type]
        key_from_provider=key_from_provider,  # type: ignore[arg-type]
        occurred_at=datetime.fromisoformat(occurred_at),  # type: ignore[arg-type]
        attribution=Attribution(**dict(zip(_ATTRIBUTION, attribution, strict=False))),  # type: ignore[call-overload]
        resource_type=resource_type,  # type: ignore[arg-type]
        amount=Decimal(amount),  # type: ignore[arg-type]
        tokens=TokenUsage(**dict(zip(_TOKENS, tokens, strict=False))),  # type: ignore[call-overload]
        provider=provider,  # type: ignore[arg-type]
        gateway=gateway,  # type: ignore[arg-type]
        model=model,  # type: ignore[arg-type]
        service_tier=service_tier,  # type: ignore[arg-type]
        reported_cost_usd=None if cost is None else Decimal(cost),  # type: ignore[arg-type]
        latency_ms=latency_ms,  # type: ignore[arg-type]
        outcome=outcome,  # type: ignore[arg-type]
        error_type=error_type,  # type: ignore[arg-type]
        error_message=error_message,  # type: ignore[arg-type]
        is_estimated=is_estimated,  # type: ignore[arg-type]
        usage_missing=usage_missing,  # type: ignore[arg-type]
        saving_usd=Decimal(saving_usd),  # type: ignore[arg-type]
        saving_kind=saving_kind,  # type: ignore[arg-type]
        saving_basis=saving_basis,  # type: ignore[arg-type]
        metadata=metadata,  # type: ignore[arg-type]
    )
    return SpooledEvent(event, spooled_ms)  # type: ignore[arg-type]
