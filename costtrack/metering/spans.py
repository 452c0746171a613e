"""The spans of OpenTelemetry as usage: what `costtrack.extraction.spans` reads of them becomes events."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from costtrack.domain.events import Outcome, UsageEvent
from costtrack.extraction.spans import SpanCall, attribution_of
from costtrack.metering.attribution import NOT_GIVEN, GivenAttribution
from costtrack.metering.events import event_after_call
from costtrack.metering.given_fields import EventFields

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_NS = 2**63
"""The year 2262: a clock that says more is wrong."""


def event_of_call(call: SpanCall, *, now: datetime, scope: GivenAttribution = NOT_GIVEN) -> UsageEvent:
    """The event of a call that spans tell of; no value in them makes it raise.

    What is in force here, `scope`, wins over what is only derived from a span, such as the service's name for the
    project; what a span says by `costtrack.*` attributes wins over the scope.
    """
    fields = fields_of_call(call, taken=scope.texts)
    return event_after_call(fields, scope, now=now, problems=call.found.problems)


def fields_of_call(call: SpanCall, *, taken: Mapping[str, Any]) -> EventFields:
    """The fields of its event. `taken`: those of the attribution for which nothing may be derived."""
    found, span = call.found, call.span
    belongs = attribution_of(span)
    given: dict[str, Any] = {name: text for name, text in belongs.derived.items() if name not in taken}
    given |= belongs.said
    if belongs.tags:
        given["tags"] = belongs.tags
    fields: dict[str, Any] = {
        "model": found.model,
        "provider": found.provider,
        "tokens": found.tokens,
        "idempotency_key": call.key,
        "key_from_provider": True,
        "occurred_at": _instant(span.start_ns),
        "latency_ms": _milliseconds(span.start_ns, span.end_ns),
        "metadata": _metadata(call),
        **given,
    }
    if found.service_tier:
        fields["service_tier"] = found.service_tier
    if found.is_adjusted:
        fields["is_estimated"] = True
    if call.failed:
        fields |= {
            "outcome": Outcome.ERROR,
            "error_type": call.error_type or "Error",
            "error_message": call.error_message,
        }
    return cast(EventFields, fields)


def _metadata(call: SpanCall) -> dict[str, str]:
    told = {
        "finish_reason": call.found.finish_reason,
        "trace_id": call.span.trace_id,
        "span_id": call.span.span_id,
        "instrumentation": call.span.scope,
    }
    return {name: text for name, text in told.items() if text}


def _instant(ns: int) -> datetime | None:
    """Of a time in nanoseconds, cut to microseconds; None where nobody says, or says what no clock can."""
    return EPOCH + timedelta(microseconds=ns // 1000) if 0 < ns < MAX_NS else None


def _milliseconds(start_ns: int, end_ns: int) -> int | None:
    return round((end_ns - start_ns) / 1_000_000) if 0 < start_ns <= end_ns < MAX_NS else None
