"""`build_event`: the one place that turns what a caller gives into a checked and cleaned UsageEvent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any, Unpack
from uuid import uuid4

from costtrack.conf import settings
from costtrack.domain.events import Outcome, ResourceType, ServiceTier, UsageEvent
from costtrack.domain.money import parse_usd
from costtrack.domain.tokens import TOKEN_FIELDS, TokenUsage
from costtrack.exceptions import InvalidUsage
from costtrack.metering.attribution import KNOWN_NAMES, AttributionFields, GivenAttribution, given_attribution
from costtrack.metering.cleaning import clean_key, clean_latency, clean_text, hashed_key
from costtrack.metering.context import given_here
from costtrack.metering.event_fields import (
    FieldCheck,
    clean_amount,
    clean_outcome,
    clean_resource_type,
    clean_saving,
    clean_tier,
    clean_time,
    mended_tokens,
    strict_tokens,
)
from costtrack.metering.metadata import clean_metadata
from costtrack.pricing.canonical import canonical_tier

KNOWN_TIERS = frozenset(ServiceTier)
ZERO = Decimal(0)
NO_TOKENS = TokenUsage()
WHOLES = {"input_tokens", "output_tokens"}
MAX_PROBLEMS = 10


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
TEXT_LENGTHS = {
    "provider": 100,
    "gateway": 100,
    "model": 200,
    "error_type": 200,
    "error_message": 500,
    "saving_kind": 20,
    "saving_basis": 200,
}


def build_event(*, now: datetime | None = None, **fields: Unpack[EventFields]) -> UsageEvent:
    """An event from what a caller says before anything is stored, attributed as in force here.

    Texts are cut to their columns and cleaned, metadata becomes JSON. Raises InvalidUsage for a figure, time or
    key that is not acceptable, TypeError for a field that does not exist. `now` is the clock's time by default.
    """
    own = {name: value for name, value in fields.items() if name in OWN_FIELDS}
    others = {name: value for name, value in fields.items() if name not in OWN_FIELDS}
    attribution = given_attribution(others, caller="build_event()").over(given_here())
    return _build(own, attribution, FieldCheck(strict=True), now or datetime.now(UTC))


def event_after_call(
    fields: EventFields, attribution: GivenAttribution, *, now: datetime, problems: tuple[str, ...] = ()
) -> UsageEvent:
    """An event of a call that has happened: no value in `fields` makes it raise.

    What is not acceptable is left out and noted, with the given `problems`, in `metadata["_problems"]`. Without
    its whole token counts the usage counts as missing: unpriced, never free.
    """
    check = FieldCheck(strict=False)
    check.problems.extend(clean_text("problem", problem, 200) for problem in problems)
    return _build(dict(fields), attribution, check, now)


def _build(fields: Mapping[str, Any], given: GivenAttribution, check: FieldCheck, now: datetime) -> UsageEvent:
    get = fields.get
    resource_type = check.take(
        "resource_type",
        lambda: clean_resource_type(get("resource_type", ResourceType.LLM_TOKENS)),
        lambda: ResourceType.LLM_TOKENS.value,
    )
    outcome = check.take("outcome", lambda: clean_outcome(get("outcome", Outcome.SUCCESS)), lambda: Outcome.SUCCESS)
    cost = get("reported_cost_usd")
    if cost is not None:
        cost = check.take("cost_usd", lambda: parse_usd("cost_usd", cost), lambda: None)
    tokens, dropped = _tokens(fields, check)
    amount, usage_missing = _amount(resource_type, outcome, get("amount"), tokens, cost, check)
    key = get("idempotency_key")
    key = check.take("idempotency_key", lambda: clean_key(key), lambda: hashed_key(key)) if key is not None else ""
    if get("metadata") is None:
        metadata: dict[str, Any] = {}
    else:
        limit = settings.metadata_max_bytes
        metadata = check.take("metadata", lambda: clean_metadata(get("metadata"), limit), dict)
    texts = {
        name: check.take(name, partial(clean_text, name, get(name), length), str)
        for name, length in TEXT_LENGTHS.items()
        if get(name)
    }
    saving = get("saving_usd")
    occurred_at = check.take(
        "occurred_at",
        lambda: clean_time(get("occurred_at"), now=now, max_future_seconds=settings.max_future_seconds),
        lambda: now,
    )
    event = UsageEvent(
        idempotency_key=key or str(uuid4()),
        key_from_provider=bool(key and get("key_from_provider")),
        occurred_at=occurred_at,
        attribution=given.resolve(None if check.strict else check.note),
        resource_type=resource_type,
        amount=amount,
        tokens=tokens or NO_TOKENS,
        service_tier=check.take("service_tier", lambda: clean_tier(get("service_tier")), lambda: clean_tier("")),
        reported_cost_usd=cost,
        latency_ms=check.take("latency_ms", lambda: clean_latency(get("latency_ms")), lambda: None),
        outcome=outcome,
        is_estimated=bool(get("is_estimated") or dropped),
        usage_missing=bool(get("usage_missing") or ((usage_missing or dropped & WHOLES) and cost is None)),
        saving_usd=ZERO if saving is None else check.take("saving_usd", lambda: clean_saving(saving), lambda: ZERO),
        metadata=metadata,
        **texts,
    )
    if event.service_tier not in KNOWN_TIERS and canonical_tier(event.service_tier) not in KNOWN_TIERS:
        check.problems.append(f"service_tier {event.service_tier!r} has no prices of its own: priced as standard")
    if check.problems:
        metadata["_problems"] = check.problems[:MAX_PROBLEMS]
    return event


def _tokens(fields: Mapping[str, Any], check: FieldCheck) -> tuple[TokenUsage | None, set[str]]:
    """The tokens, None if none were given or usable; and the names of the counts left out."""
    counts = {name: fields[name] for name in TOKEN_FIELDS if fields.get(name) is not None}
    if check.strict:
        return strict_tokens(fields.get("tokens"), counts), set()
    return mended_tokens(fields.get("tokens"), counts, check)


def _amount(
    resource_type: str, outcome: Outcome, given: object, tokens: TokenUsage | None, cost: object, check: FieldCheck
) -> tuple[Decimal, bool]:
    """The amount, and whether the usage of a successful call is unknown."""
    succeeded = outcome is Outcome.SUCCESS
    if resource_type == ResourceType.API_CALL and not succeeded:
        return ZERO, False
    amount = None if given is None else check.take("amount", lambda: clean_amount(given), lambda: None)
    if resource_type == ResourceType.LLM_TOKENS:
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
        if check.strict and succeeded and cost is None:
            raise InvalidUsage("amount", given, f"a number: how many {resource_type} were used")
        return ZERO, succeeded
    return amount, False
