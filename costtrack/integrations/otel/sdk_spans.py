"""Spans of OpenTelemetry's SDK, as those that costtrack reads, and their calls booked."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextvars import Context
from datetime import UTC, datetime
from typing import NamedTuple

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode, format_span_id, format_trace_id

from costtrack.extraction.spans import Span, SpanCall, calls_of
from costtrack.metering.context import given_here
from costtrack.metering.database_thread import run_sync
from costtrack.metering.nested import BookedFigures, metered_around_here
from costtrack.metering.spans import event_of_call
from costtrack.metering.transport import needs_no_database, submit

logger = logging.getLogger("costtrack")


class Ended(NamedTuple):
    """A span that has ended, and the context that its call was made in."""

    span: Span
    context: Context


def span_of(span: ReadableSpan) -> Span | None:
    """The span as costtrack reads it; None if it has no ids."""
    context = span.context
    if context is None:
        return None
    return Span(
        trace_id=format_trace_id(context.trace_id),
        span_id=format_span_id(context.span_id),
        parent_id=format_span_id(span.parent.span_id) if span.parent is not None else "",
        scope=span.instrumentation_scope.name if span.instrumentation_scope is not None else "",
        start_ns=span.start_time or 0,
        end_ns=span.end_time or 0,
        attributes=span.attributes or {},
        resource=span.resource.attributes,
        is_error=span.status.status_code is StatusCode.ERROR,
        status_message=span.status.description or "",
        exception=_exception_in(span),
    )


def record_ended(spans: Sequence[Ended]) -> None:
    """Record the calls that these spans tell of, each as if where it was made; raises nothing."""
    contexts = {one.span.span_id: one.context for one in spans}
    try:
        calls = calls_of(one.span for one in spans)
    except Exception:  # the boundary: tracing, and the call that was traced, must not fail for its accounting
        logger.exception("The usage that %d spans tell of can not be read.", len(spans))
        return
    for call in calls:
        try:
            contexts[call.span.span_id].copy().run(_record, call)
        except Exception:  # the same
            logger.exception("The usage of span %s of trace %s is lost.", call.span.span_id, call.span.trace_id)


def _record(call: SpanCall) -> None:
    scope = given_here()
    if needs_no_database(scope):
        _book(call)
    else:
        run_sync(lambda: _book(call))


def _book(call: SpanCall) -> None:
    event = event_of_call(call, now=datetime.now(UTC), scope=given_here())
    submit(event)
    figures = BookedFigures(event.model, event.tokens)
    for around in metered_around_here():  # a `meter` block that observes the same response adds no row of its own
        around.add_figures(figures)


def _exception_in(span: ReadableSpan) -> Mapping[str, object]:
    for event in reversed(span.events):
        if event.name == "exception":
            return event.attributes or {}
    return {}
