"""Hashes that make a charge happen once: of the idempotency key, and of the usage it stands for."""

from __future__ import annotations

from hashlib import sha256

from costtrack.domain.events import UsageEvent
from costtrack.domain.money import decimal_text
from costtrack.domain.tokens import TOKEN_FIELDS

_FIELD_SEPARATOR = "\x1f"


def hash_of_key(idempotency_key: str) -> str:
    """The first 128 bits of the key's SHA-256, as 32 hex digits."""
    return sha256(idempotency_key.encode()).hexdigest()[:32]


def fingerprint(event: UsageEvent) -> str:
    """128 bits of SHA-256 over what was used and a reported cost, as 32 hex digits.

    Price, times, latency and attribution are left out: a retry may carry other ones and is still the same charge.
    """
    tokens = event.tokens
    reported = event.reported_cost_usd
    parts = [
        event.resource_type,
        event.provider,
        event.model,
        event.service_tier,
        event.outcome,
        decimal_text(event.amount),
        "" if reported is None else decimal_text(reported),
        *[str(getattr(tokens, name)) for name in TOKEN_FIELDS],
    ]
    return sha256(_FIELD_SEPARATOR.join(parts).encode()).hexdigest()[:32]
