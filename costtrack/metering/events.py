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
from costtrack.domain.events import Attribution, Outcome, ResourceType, ServiceTier, UsageEvent
from costtrack.domain.frozen import frozen_from
from costtrack.domain.tokens import TOKEN_FIELDS, TokenUsage
from costtrack.exceptions import InvalidUsage
from costtrack.metering.attribution import (
    KNOWN_NAMES,
    MAX_LENGTHS,
    AttributionFields,
    GivenAttribution,
    given_attribution,
)
from costtrack.metering.cleaning import clean_key, clean_latency, clean_text, hashed_key
from costtrack.metering.context import given_here
from costtrack.metering.event_fields import (
    FieldCheck,
    clean_amount,
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
ZERO = Decimal(0)
WHOLES = {"input_tokens", "output_tokens"}
MAX_PROBLEMS = 10
STRICT = FieldCheck(strict=True)


class EventFields(AttributionFields, total=False):
    """What an event is built from. Whatever is absent or None has UsageEvent's default."""

    resource_type: object
    amount: object
    tokens: TokenUsage | None
    input_tokens: object
    output_tokens: object
    cache_read_tokens: object
    cache_write_tokens: object
    cache_write_1h_tokens: object
    input_audio_tokens: object
    reasoning_tokens: object
    output_audio_tokens: object
    provider: object
    gateway: object
    model: object
    service_tier: object
    idempotency_key: object
    key_from_provider: bool
    occurred_at: datetime | None
    reported_cost_usd: object
    latency_ms: object
    outcome: object
    error_type: object
    error_message: object
    is_estimated: bool
    usage_missing: bool
    saving_usd: object
    saving_kind: object
    saving_basis: object
    metadata: Mapping[str, Any] | None


OWN_FIELDS = frozenset(EventFields.__annotations__) - frozenset(KNOWN_NAMES)
COUNTS = frozenset(TOKEN_FIELDS)
LLM_TOKENS = ResourceType.LLM_TOKENS.value
SUCCESS = Outcome.SUCCESS.value
TEXT_LENGTHS = {
    **MAX_LENGTHS,
    "provider": 100,
    "gateway": 100,
    "model": 200,
    "error_type": 200,
    "saving_kind": 20,
    "saving_basis": 200,
}
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

BLANK = dict(
    vars(
        UsageEvent(
            idempotency_key="",
            occurred_at=datetime.min.replace(tzinfo=UTC),
            attribution=Attribution(),
            resource_type=LLM_TOKENS,
            amount=ZERO,
        )
    )
)
"""All fields of an event in their order, with their defaults."""


def build_event(*, now: datetime | None = None, **fields: Unpack[EventFields]) -> UsageEvent:
    """An event from what a caller says before anything is stored, attributed as in force here.

    Texts are cut to their columns and cleaned, metadata becomes JSON. Raises InvalidUsage for a figure, time or
    key that is not acceptable, TypeError for a field that does not exist. `now` is the clock's time by default.
    """
    return _build(fields, given_here(), STRICT, now or datetime.now(UTC))


def event_after_call(
    fields: EventFields, attribution: GivenAttribution, *, now: datetime, problems: tuple[str, ...] = ()
) -> UsageEvent:
    """An event of a call that has happened: no value in `fields` makes it raise.

    What is not acceptable is left out and noted, with the given `problems`, in `metadata["_problems"]`. Without
    its whole token counts the usage counts as missing: unpriced, never free.
    """
    check = FieldCheck(strict=False)
    for problem in problems:
        check.problems.append(clean_text("problem", problem, 200))
    return _build(fields, attribution, check, now)


def _build(fields: Mapping[str, Any], given: GivenAttribution, check: FieldCheck, now: datetime) -> UsageEvent:
    get = fields.get
    values = BLANK.copy()
    values["metadata"] = {}
    counts: dict[str, Any] = {}
    texts: dict[str, str] = {}
    others: dict[str, Any] = {}
    for name, value in fields.items():
        if value is None:
            continue
        if name in TEXT_LENGTHS:
            if type(value) is str and len(value) <= TEXT_LENGTHS[name] and value.isprintable():
                text = value.strip()
            else:
                text = check.take(name, partial(clean_text, name, max_length=TEXT_LENGTHS[name]), value, "")
            if name in values:
                values[name] = text
            elif text:
                texts[name] = text
        elif name in COUNTS:
            counts[name] = value
        elif name in CLEANERS:
            values[name] = check.take(name, CLEANERS[name], value, values[name])
        elif name not in OWN_FIELDS:
            others[name] = value
    if others:
        given = given_attribution(others, caller="build_event()").over(given)
    values["attribution"] = given.with_texts(texts, None if check.strict else check.note)
    values["occurred_at"] = now if get("occurred_at") is None else _time(get("occurred_at"), now, check)
    key = get("idempotency_key")
    if key is not None:
        key = _key(key, check)
    values["idempotency_key"] = key or fresh_key()
    values["key_from_provider"] = bool(key and get("key_from_provider"))

    tokens, dropped = tokens_of(get("tokens"), counts, check)
    if tokens is not None:
        values["tokens"] = tokens
    values["amount"], is_missing = _amount(values, get("amount"), tokens, check)
    values["is_estimated"] = bool(get("is_estimated") or dropped)
    values["usage_missing"] = bool(
        get("usage_missing") or ((is_missing or dropped & WHOLES) and values["reported_cost_usd"] is None)
    )
    tier = values["service_tier"]
    problems = check.problems
    if tier not in KNOWN_TIERS and canonical_tier(tier) not in KNOWN_TIERS:
        problems = [*problems, f"service_tier {tier!r} has no prices of its own: priced as standard"]
    if problems:
        values["metadata"]["_problems"] = problems[:MAX_PROBLEMS]
    return frozen_from(UsageEvent, values)


def fresh_key() -> str:
    """An idempotency key that nothing else has: a random UUID, as `uuid4` would give it in three times the time."""
    digits = urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"


def _time(given: Any, now: datetime, check: FieldCheck) -> datetime:
    def clean(value: object) -> datetime:
        return clean_time(value, now=now, max_future_seconds=settings.max_future_seconds)

    return check.take("occurred_at", clean, given, now)


def _key(given: Any, check: FieldCheck) -> str:
    """The caller's key, "" without one; after a call one that does not fit the column is hashed."""
    if given is None:
        return ""
    try:
        return clean_key(given)
    except Exception as error:  # as in FieldCheck.take
        if check.strict:
            raise
        check.note("idempotency_key", error)
        return hashed_key(given)


def _amount(
    values: Mapping[str, Any], given: object, tokens: TokenUsage | None, check: FieldCheck
) -> tuple[Decimal, bool]:
    """The amount, and whether the usage of a successful call is unknown."""
    resource_type = values["resource_type"]
    succeeded = values["outcome"] == SUCCESS
    if resource_type == LLM_TOKENS and tokens is not None and given is None:
        return Decimal(tokens.total_tokens), False
    if resource_type == ResourceType.API_CALL and not succeeded:
        return ZERO, False
    amount = None if given is None else check.take("amount", clean_amount, given, None)
    if resource_type == LLM_TOKENS:
        if tokens is None:
            return amount or ZERO, succeeded
        if amount is not None and amount != tokens.total_tokens:
            problem = InvalidUsage("amount", given, f"{tokens.total_tokens} (input plus output tokens), or none at all")
            if check.strict:
                raise problem
            check.note("amount", problem)
        return Decimal(tokens.total_tokens), False
    if amount is None:
        if resource_type == ResourceType.API_CALL:
            return Decimal(1), False
        if check.strict and succeeded and values["reported_cost_usd"] is None:
            raise InvalidUsage("amount", given, f"a number: how many {resource_type} were used")
        return ZERO, succeeded
    return amount, False
