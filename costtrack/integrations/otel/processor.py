"""CostTrackSpanProcessor: books an LLM call when its spans have ended, where it was made."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from contextvars import Context as CopiedContext
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from weakref import ReferenceType, ref

from opentelemetry.context import Context, attach
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace import Span as RunningSpan
from opentelemetry.trace import format_span_id, get_current_span

from costtrack.extraction.fields import read_text
from costtrack.extraction.spans import Span, is_call, may_be_call, read_call
from costtrack.extraction.spans.names import REQUEST_MODEL, RESPONSE_MODEL
from costtrack.integrations.charging import add_watcher, is_charged, models_charged_here
from costtrack.integrations.otel.sdk_spans import Ended, record_ended, span_of
from costtrack.metering.database_thread import run_later

MAX_WAITING = 1_000
"""Ended spans of calls that wait for others to end. Past it all are booked, each by what it tells itself."""
MAX_TRACES = 10_000
"""Past it, and past twice as many as were left then, traces of which no span runs any more are forgotten: their spans
were dropped without being ended."""


@dataclass(slots=True, eq=False)
class _Running:
    """A span that has not ended; weakly, since one that a program drops never does."""

    span: ReferenceType[RunningSpan]
    context: CopiedContext
    """That in which it began: it has the attribution, and the metered calls around it."""
    charged: set[str]
    """The models of calls inside it that the hook of a client charges."""


@dataclass(slots=True, eq=False)
class _Trace:
    """What is known of one trace in this process."""

    running: dict[str, _Running] = field(default_factory=dict)
    waiting: list[Ended] = field(default_factory=list)


class CostTrackSpanProcessor(SpanProcessor):
    """Records each LLM call as its spans end; add it to the TracerProvider.

    Spans of one call that are inside one another, as those of two instrumentations are, wait until the last of them has
    ended. What `costtrack.attribute` says where the call begins holds for it. No error leaves it.
    """

    def __init__(self) -> None:
        self._traces: dict[int, _Trace] = {}
        self._lock = threading.RLock()  # a stream that is collected in the middle of this ends its span
        self._waiting = 0
        self._most_traces = MAX_TRACES
        add_watcher(self)

    def on_start(self, span: RunningSpan, parent_context: Context | None = None) -> None:
        """Remember it, to know which spans are around which, and in what context it began."""
        context = span.context
        if context is None:
            return
        gone = partial(_dropped, ref(self), context.trace_id)
        running = _Running(ref(span, gone), copy_context(), models_charged_here())
        with self._lock:
            if len(self._traces) >= self._most_traces:
                self._forget_dropped()
                self._most_traces = max(MAX_TRACES, 2 * len(self._traces))
            trace = self._traces.setdefault(context.trace_id, _Trace())
            trace.running[format_span_id(context.span_id)] = running

    def on_end(self, span: ReadableSpan) -> None:
        """Book what this span was the last of."""
        found = span_of(span)
        if found is None or span.context is None:
            return
        with self._lock:
            ready = self._ended(span.context.trace_id, found)
            if self._waiting > MAX_WAITING:
                ready += self._take_all()
        record_ended(ready)

    def charged_here(self, *models: str) -> None:
        """The hook of a client charges a call of that model, which begins here: it is theirs, too, that are around."""
        context = get_current_span().get_span_context()
        with self._lock:
            trace = self._traces.get(context.trace_id)
            running = trace.running if trace is not None else {}
            around = running.get(format_span_id(context.span_id))
            while around is not None:
                around.charged.update(models)
                span = around.span()
                parent = None if span is None else span.parent
                around = None if parent is None else running.get(format_span_id(parent.span_id))

    def shutdown(self) -> None:
        """Book what waits."""
        self.force_flush()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Book what waits for spans that have not ended."""
        with self._lock:
            ready = self._take_all()
        record_ended(ready)
        return True

    def _ended(self, trace_id: int, span: Span) -> list[Ended]:
        """What can be booked, now that this span has ended."""
        trace = self._traces.setdefault(trace_id, _Trace())
        began = trace.running.pop(span.span_id, None)
        if is_call(span.attributes) and not (began is not None and _is_charged(span, began)):
            trace.waiting.append(Ended(span, _without_span(began.context if began else copy_context())))
            self._waiting += 1
        return self._ready(trace_id, trace)

    def waits(self, trace_id: int) -> bool:
        """Whether a call of that trace waits for other spans to end."""
        trace = self._traces.get(trace_id)
        return trace is not None and bool(trace.waiting)

    def book_ready(self, trace_id: int) -> None:
        """Book what waited for a span that was dropped."""
        with self._lock:
            trace = self._traces.get(trace_id)
            ready = [] if trace is None else self._ready(trace_id, trace)
        record_ended(ready)

    def _ready(self, trace_id: int, trace: _Trace) -> list[Ended]:
        ready = _ready(trace) if trace.waiting else []
        if ready:
            booked = {one.span.span_id for one in ready}
            trace.waiting = [one for one in trace.waiting if one.span.span_id not in booked]
            self._waiting -= len(ready)
        if not trace.running and not trace.waiting:
            self._traces.pop(trace_id, None)
        return ready

    def _take_all(self) -> list[Ended]:
        taken = [one for trace in self._traces.copy().values() for one in trace.waiting]
        for trace in self._traces.copy().values():
            trace.waiting = []
        self._waiting = 0
        return taken

    def _forget_dropped(self) -> None:
        for trace_id, trace in self._traces.copy().items():
            if not trace.waiting and all(one.span() is None for one in trace.running.copy().values()):
                del self._traces[trace_id]


def _is_charged(span: Span, began: _Running) -> bool:
    """Whether a hook charges it. One with usage and a unique id is told from others, or known again, by its id."""
    asked, answered = (read_text(span.attributes, *names) for names in (REQUEST_MODEL, RESPONSE_MODEL))
    if not began.charged or not is_charged(began.charged, asked, answered):
        return False
    call = read_call(span)
    tokens = None if call is None or not call.has_trusted_id else call.found.tokens
    return tokens is None or not (tokens.input_tokens or tokens.output_tokens)


def _without_span(context: CopiedContext) -> CopiedContext:
    """The context, which is a copy of ours: were the span around the call kept in it, it would never be dropped."""
    context.run(attach, Context())
    return context


def _dropped(processor: ReferenceType[CostTrackSpanProcessor], trace_id: int, span: object) -> None:
    """A span is gone that nobody has ended: no end of it will tell that others need not wait.

    The garbage collector calls this, anywhere: so the rest is done elsewhere.
    """
    found = processor()
    if found is not None and found.waits(trace_id) and not sys.is_finalizing():
        with suppress(RuntimeError):  # no thread can start any more: the shutdown books it
            run_later(partial(found.book_ready, trace_id))


def _ready(trace: _Trace) -> list[Ended]:
    """Those that wait for no running span any more: none that may be their call is around them, or inside them."""
    parents = {one.span.span_id: one.span.parent_id for one in trace.waiting}
    calls = []
    for span_id, one in trace.running.copy().items():
        span = one.span()
        if span is None:
            trace.running.pop(span_id, None)
            continue
        parents[span_id] = format_span_id(span.parent.span_id) if span.parent is not None else ""
        if may_be_call(span.attributes or {}):
            calls.append(span_id)
    if not calls:
        return list(trace.waiting)
    around = {span_id: set(_ancestors(span_id, parents)) for span_id in (*parents,)}
    return [
        one
        for one in trace.waiting
        if not any(call in around[one.span.span_id] or one.span.span_id in around[call] for call in calls)
    ]


def _ancestors(span_id: str, parents: dict[str, str]) -> Iterable[str]:
    seen = {span_id}
    while (span_id := parents.get(span_id, "")) and span_id not in seen:
        seen.add(span_id)
        yield span_id
