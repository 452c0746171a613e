"""`build_event`: the one place that turns what a caller gives into a checked and cleaned UsageEvent.

Every metered call waits for it. So what is plain is taken as it is, after one test; only the rest is looked into.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from os import urandom
from typing import Any, Unpack

from costtrack.conf import settings
from costtrack.domain.events import ResourceType, ServiceTier, UsageEvent
from costtrack.domain.frozen import frozen_from
from costtrack.domain.tokens import TOKEN_FIELDS, TokenUsage, plain_usage
from costtrack.metering.attribution import (
    KNOWN_NAMES,
    MAX_LENGTHS,
    AttributionFields,
    GivenAttribution,
    given_attribution,
)
from costtrack.metering.cleaning import MAX_LATENCY_MS, clean_key, clean_latency, clean_text, hashed_key, redacted_text
from costtrack.metering.context import given_here
from costtrack.metering.event_fields import (
    FieldCheck,
    amount_of,
    clean_error_message,
    clean_outcome,
    clean_reported_cost,
    clean_resource_type,
    clean_saving,
    clean_tier,
    clean_time,
    tokens_of,
)
from costtrack.metering.metadata import clean_metadata
from costtrack.pricing.canonical import canonical_tier

KNOWN_TIERS = frozenset(ServiceTier)
WHOLES = {"input_tokens", "output_tokens"}
MAX_PROBLEMS = 10
STRICT = FieldCheck(strict=True)


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
MAX_MODEL, MAX_PROVIDER = TEXT_LENGTHS["model"], TEXT_LENGTHS["provider"]
CLEANERS: dict[str, Callable[[Any], Any]] = {
    "resource_type": clean_resource_type,
    "service_tier": clean_tier,
    "reported_cost_usd": clean_reported_cost,
    "latency_ms": clean_latency,
    "outcome": clean_outcome,
    "error_message": clean_error_message,
    "saving_usd": clean_saving,
    "metadata": lambda value: clean_metadata(value, settings.metadata_max_bytes),
}
"""The fields that are checked one by one, beside the texts. The others depend on one another."""


def build_event(
    *,
    now: datetime | None = None,
    model: object = None,
    provider: object = None,
    input_tokens: object = None,
    output_tokens: object = None,
    cache_read_tokens: object = None,
    latency_ms: object = None,
    **others: Unpack[OtherFields],
) -> UsageEvent:
    """An event from what a caller says before anything is stored, attributed as in force here.

    Texts are cut to their columns and cleaned, metadata becomes JSON. Raises InvalidUsage for a figure, time or
    key that is not acceptable, TypeError for a field that does not exist. `now` is the clock's time by default.
    """
    rest: dict[str, Any] = others  # type: ignore[assignment]
    if now is None:
        now = datetime.now(UTC)
    values: dict[str, Any] = {"resource_type": LLM_TOKENS, "metadata": {}, "occurred_at": now}
    if type(model) is str and len(model) <= MAX_MODEL and model.isprintable():
        if text := model.strip():
            values["model"] = text
    elif model is not None:
        rest["model"] = model
    if type(provider) is str and len(provider) <= MAX_PROVIDER and provider.isprintable():
        if text := provider.strip():
            values["provider"] = text
    elif provider is not None:
        rest["provider"] = provider
    if type(latency_ms) is int and 0 <= latency_ms <= MAX_LATENCY_MS:
        values["latency_ms"] = latency_ms
    elif latency_ms is not None:
        rest["latency_ms"] = latency_ms
    given = given_here()
    tokens = plain_usage(input_tokens, output_tokens, cache_read_tokens)
    if tokens is None or rest or given.resolved is None:
        rest["input_tokens"], rest["output_tokens"] = input_tokens, output_tokens
        rest["cache_read_tokens"] = cache_read_tokens
        return _build(rest, given, STRICT, now, values)
    values["attribution"] = given.resolved
    values["idempotency_key"] = urandom(16).hex()  # as `fresh_key`
    values["tokens"] = tokens
    values["amount"] = Decimal(input_tokens + output_tokens)  # type: ignore[operator]  # ints: there are `tokens`
    return frozen_from(UsageEvent, values)


def event_after_call(
    fields: EventFields, attribution: GivenAttribution, *, now: datetime, problems: tuple[str, ...] = ()
) -> UsageEvent:
    """An event of a call that has happened: no value in `fields` makes it raise.

    What is not acceptable is left out and noted, with the given `problems`, in `metadata["_problems"]`. Without
    its whole token counts the usage counts as missing: unpriced, never free.
    """
    check = FieldCheck(strict=False)
    for problem in problems:
        check.problems.append(redacted_text("problem", problem, 200))
    return _build(fields, attribution, check, now, {"resource_type": LLM_TOKENS, "metadata": {}, "occurred_at": now})


def _build(
    fields: Mapping[str, Any], given: GivenAttribution, check: FieldCheck, now: datetime, values: dict[str, Any]
) -> UsageEvent:
    # What is not said is left out of `values`: the event has its default then, and its line in the spool is short.
    counts: dict[str, Any] = {}
    texts: dict[str, str] = {}
    rest: dict[str, Any] = {}
    unknown: dict[str, Any] = {}
    for name, value in fields.items():
        if value is None:
            continue
        max_length = TEXT_LENGTHS.get(name)
        if max_length is not None:
            if type(value) is str and len(value) <= max_length and value.isprintable():
                text = value.strip()
            else:
                text = check.take(name, partial(clean_text, name, max_length=max_length), value, "")
            if text:
                (texts if name in MAX_LENGTHS else values)[name] = text
        elif name in COUNTS:
            counts[name] = value
        elif name in CLEANERS:
            cleaned = check.take(name, CLEANERS[name], value, None)
            if cleaned is not None:
                values[name] = cleaned
        elif name in OWN_FIELDS:
            rest[name] = value
        else:
            unknown[name] = value
    if unknown:
        given = given_attribution(unknown, caller="build_event()").over(given)
    get = rest.get
    values["attribution"] = given.with_texts(texts, None if check.strict else check.note)
    if get("occurred_at") is not None:
        values["occurred_at"] = _time(get("occurred_at"), now, check)
    key = get("idempotency_key")
    if key is not None:
        key = _key(key, check)
    values["idempotency_key"] = key or fresh_key()
    if key and get("key_from_provider"):
        values["key_from_provider"] = True

    tokens, dropped = tokens_of(get("tokens"), counts, check)
    if tokens is not None:
        values["tokens"] = tokens
    values["amount"], is_missing = amount_of(values, get("amount"), tokens, check)
    if get("is_estimated") or dropped:
        values["is_estimated"] = True
    if get("usage_missing") or ((is_missing or dropped & WHOLES) and values.get("reported_cost_usd") is None):
        values["usage_missing"] = True
    problems = check.problems
    tier = values.get("service_tier")
    if tier is not None and tier not in KNOWN_TIERS and canonical_tier(tier) not in KNOWN_TIERS:
        problems = [*problems, f"service_tier {tier!r} has no prices of its own: priced as standard"]
    if problems:
        values["metadata"]["_problems"] = problems[:MAX_PROBLEMS]
    return frozen_from(UsageEvent, values)


def fresh_key() -> str:
    """An idempotency key that nothing else has: 128 random bits."""
    return urandom(16).hex()


def _time(given: Any, now: datetime, check: FieldCheck) -> datetime:
    def clean(value: object) -> datetime:
        return clean_time(value, now=now, max_future_seconds=settings.max_future_seconds)

    return check.take("occurred_at", clean, given, now)


def _key(given: Any, check: FieldCheck) -> str:
    """The caller's key, "" without one; after a call one that does not fit the column is hashed."""
    try:
        return clean_key(given)
    except Exception as error:  # as in FieldCheck.take
        if check.strict:
            raise
        check.note("idempotency_key", error)
        return hashed_key(given)
