"""The smallest valid objects that tests begin with."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from costtrack.domain.events import Attribution, UsageEvent
from costtrack.domain.money import decimal_from_database
from costtrack.domain.tokens import TOKEN_FIELDS, TokenUsage
from costtrack.models import Organization, Rate
from costtrack.pricing.ratebook import forget_rates

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
_numbers = itertools.count(1)


def summed(value: Any) -> Decimal:
    """A sum that the database made: exact on PostgreSQL; SQLite adds floats, which are right to a nano-dollar."""
    found = decimal_from_database(value)
    return found if connection.vendor == "postgresql" else found.quantize(Decimal("1e-9"))


def make_organization(slug: str = "acme", **fields: Any) -> Organization:
    """An organization; UTC unless `timezone` says otherwise."""
    return Organization.objects.create(slug=slug, **fields)


def make_rate(
    model: str = "test-model", provider: str = "openai", *, per_million: tuple[str, str] = ("3", "15"), **fields: Any
) -> Rate:
    """A rate of USD (input, output) per million tokens, from ever."""
    rate = Rate.objects.create(
        provider=provider,
        model=model,
        input_usd_per_million=Decimal(per_million[0]),
        output_usd_per_million=Decimal(per_million[1]),
        **fields,
    )
    forget_rates()
    return rate


def make_event(
    input_tokens: int = 1000,
    output_tokens: int = 100,
    *,
    key: str | None = None,
    attribution: dict[str, Any] | None = None,
    **fields: Any,
) -> UsageEvent:
    """A call of test-model by acme: 1000 x 3 + 100 x 15 = 4500 per million, 0.0045 USD."""
    parts = {name: fields.pop(name) for name in TOKEN_FIELDS if name in fields}
    tokens = TokenUsage(input_tokens=input_tokens, output_tokens=output_tokens, **parts)
    values: dict[str, Any] = {
        "idempotency_key": key or f"key-{next(_numbers)}",
        "occurred_at": NOON,
        "attribution": Attribution(**{"organization": "acme", **(attribution or {})}),
        "resource_type": "llm_tokens",
        "amount": Decimal(tokens.total_tokens),
        "tokens": tokens,
        "provider": "openai",
        "model": "test-model",
        "latency_ms": 250,
    }
    return UsageEvent(**{**values, **fields})
