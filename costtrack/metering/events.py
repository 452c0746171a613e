"""`build_event`: the one place that turns what a caller gives into a checked and cleaned UsageEvent.

Every metered call waits for it. So an event whose fields are all plain is made at once, after one test; only the others
are looked into field by field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from time import time_ns
from typing import Any, Unpack

from costtrack.conf import settings
from costtrack.domain.events import UsageEvent
from costtrack.domain.frozen import frozen_from
from costtrack.domain.tokens import TokenUsage, plain_usage
from costtrack.extraction.counts import NO_INPUT
from costtrack.metering.attribution import MAX_LENGTHS, GivenAttribution, given_attribution
from costtrack.metering.cleaning import (
    MAX_LATENCY_MS,
    clean_flag,
    clean_key,
    clean_latency,
    clean_text,
    hashed_key,
    redacted_text,
)
from costtrack.metering.context import given_here
from costtrack.metering.event_fields import (
    KNOWN_TIERS,
    NOTHING,
    FieldCheck,
    amount_of,
    clean_error_message,
    clean_outcome,
    clean_reported_cost,
    clean_resource_type,
    clean_saving,
    clean_tier,
    clean_time,
    is_clean,
    is_past,
    lacks_input,
    tokens_of,
)
from costtrack.metering.fresh_keys import fresh_key
from costtrack.metering.given_fields import COUNTS, LLM_TOKENS, OWN_FIELDS, TEXT_LENGTHS, EventFields, OtherFields
from costtrack.metering.metadata import clean_metadata, is_clean_word
from costtrack.pricing.canonical import canonical_tier

WHOLES = {"input_tokens", "output_tokens"}
MAX_PROBLEMS = 10
STRICT = FieldCheck(strict=True)


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

MAX_KNOWN = 1000
_known_models, _known_providers = {""}, {""}
"""Clean texts, as they came out of the first events: whoever says one of them again need not have it cleaned."""


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
    clock_ns = time_ns()
    given = given_here()
    tokens = plain_usage(input_tokens, output_tokens, cache_read_tokens)
    if (
        tokens is not None
        and not others
        and given.resolved is not None
        and (model is None or (type(model) is str and model in _known_models))
        and (provider is None or (type(provider) is str and provider in _known_providers))
        and (latency_ms is None or (type(latency_ms) is int and 0 <= latency_ms <= MAX_LATENCY_MS))
    ):
        values: dict[str, Any] = {
            "resource_type": LLM_TOKENS,
            "metadata": {},
            "occurred_at": clock_ns if now is None else now,
            "attribution": given.resolved,
            "idempotency_key": fresh_key(clock_ns),
            "tokens": tokens,
        }
        if model:
            values["model"] = model
        if provider:
            values["provider"] = provider
        if latency_ms is not None:
            values["latency_ms"] = latency_ms
        return frozen_from(UsageEvent, values)
    fields: dict[str, Any] = {**others, "model": model, "provider": provider, "latency_ms": latency_ms}
    fields |= {"input_tokens": input_tokens, "output_tokens": output_tokens, "cache_read_tokens": cache_read_tokens}
    event = _build(fields, given, STRICT, now or datetime.now(UTC))
    for known, text in ((_known_models, event.model), (_known_providers, event.provider)):
        if len(known) < MAX_KNOWN:
            known.add(text)
    return event


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
    return _build(fields, attribution, check, now)


def _build(fields: Mapping[str, Any], given: GivenAttribution, check: FieldCheck, now: datetime) -> UsageEvent:
    # What is not said is left out of `values`: the event has its default then, and its line in the spool is short.
    values: dict[str, Any] = {"resource_type": LLM_TOKENS, "metadata": {}, "occurred_at": now}
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
        elif name == "metadata" and is_clean_word(value):
            values[name] = dict(value)
        elif name in CLEANERS:
            cleaned = value if is_clean(name, value) else check.take(name, CLEANERS[name], value, None)
            if cleaned is not None:
                values[name] = cleaned
        elif name in OWN_FIELDS:
            rest[name] = value
        else:
            unknown[name] = value
    if unknown:
        given = given_attribution(unknown, caller="build_event()").over(given)
    get = rest.get
    resolved = None if texts else given.resolved
    values["attribution"] = resolved or given.with_texts(texts, None if check.strict else check.note)
    at = get("occurred_at")
    if at is not None:
        values["occurred_at"] = at if is_past(at, now) else _time(at, now, check)
    key = get("idempotency_key")
    if key is not None:
        key = _key(key, check)
    values["idempotency_key"] = key or fresh_key(time_ns())
    if key and get("key_from_provider"):
        values["key_from_provider"] = True

    tokens, dropped = get("tokens"), NOTHING
    if counts or type(tokens) is not TokenUsage:
        tokens, dropped = tokens_of(tokens, counts, check)
    if tokens is not None:
        values["tokens"] = tokens
    is_missing = False
    if tokens is None or get("amount") is not None or values["resource_type"] != LLM_TOKENS:
        amount, is_missing = amount_of(values, get("amount"), tokens, check)
        if amount is not None:
            values["amount"] = amount
    is_estimated = get("is_estimated")
    if is_estimated is not None and is_estimated is not True:
        is_estimated = check.take("is_estimated", partial(clean_flag, "is_estimated"), is_estimated, False)
    problems = check.problems
    if counts and lacks_input(counts, values):
        problems = [*problems, NO_INPUT]
        is_estimated = True
    if is_estimated or dropped:
        values["is_estimated"] = True
    if get("usage_missing") or ((is_missing or dropped & WHOLES) and values.get("reported_cost_usd") is None):
        values["usage_missing"] = True
    tier = values.get("service_tier")
    if tier is not None and tier not in KNOWN_TIERS and canonical_tier(tier) not in KNOWN_TIERS:
        problems = [*problems, f"service_tier {tier!r} has no prices of its own: priced as standard"]
    if problems:
        values["metadata"]["_problems"] = problems[:MAX_PROBLEMS]
    return frozen_from(UsageEvent, values)


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
