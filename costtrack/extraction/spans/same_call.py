"""One call that several instrumentations have traced is one call: their spans are put together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from costtrack.domain.tokens import TOKEN_FIELDS, TokenUsage
from costtrack.extraction.extracted import Extracted
from costtrack.extraction.spans.call import ERROR_TYPE, SpanCall, read_call
from costtrack.extraction.spans.span import Span

MAX_DEPTH = 100
"""How far up a trace is looked: a circle of parents has no end."""

Place = tuple[str, str]
"""Trace and span."""


def calls_of(spans: Iterable[Span]) -> list[SpanCall]:
    """The LLM calls that these spans tell of, each once, in the order in which their spans came.

    Spans are of one call if they have the same response id of a provider whose ids are unique, or if one is inside the
    other and it tells the same counts, or the sum of those inside it, or nothing at all. What one of them knows, and
    the other does not, is kept: a response id, the cached tokens, the service tier.
    """
    known = {(span.trace_id, span.span_id): span for span in spans}
    calls = {place: call for place, span in known.items() if (call := read_call(span)) is not None}
    inside: dict[Place, list[Place]] = {}
    for place in calls:
        around = _nearest_call_around(place, known, calls)
        if around is not None:
            inside.setdefault(around, []).append(place)
    for outer in sorted(inside, key=lambda place: _depth(place, known), reverse=True):  # the innermost first
        inner = [place for place in inside[outer] if place in calls]
        _put_together(outer, inner, calls)
        if outer not in calls:  # those inside it are inside what is around it
            around = _nearest_call_around(outer, known, calls)
            if around is not None:
                inside[around] = [*inside.get(around, ()), *inner]
    return _by_key(calls.values())


def _put_together(outer: Place, inner: Sequence[Place], calls: dict[Place, SpanCall]) -> None:
    """Leave out the outer span if it is the call of one inside it, or of all of them."""
    told = calls[outer]
    for place in sorted(inner, key=lambda place: calls[place].failed != told.failed):
        if _is_same(told, calls[place]):
            calls[place] = merged(calls[place], told)
            del calls[outer]
            return
    counts = [counts for place in inner if (counts := _counts(calls[place])) is not None]
    if len(counts) > 1 and _counts(told) == (sum(one[0] for one in counts), sum(one[1] for one in counts)):
        del calls[outer]


def _is_same(outer: SpanCall, inner: SpanCall) -> bool:
    if outer.has_trusted_id and inner.has_trusted_id:
        return outer.found.response_id == inner.found.response_id
    outer_counts, inner_counts = _counts(outer), _counts(inner)
    if outer_counts is None:
        # It saw no answer: a stream that it did not know for one, or the error that came up from inside.
        return outer.failed == inner.failed or not outer.failed
    if inner_counts is None:
        return outer.failed == inner.failed  # an attempt that failed inside one that succeeded is another call
    return outer_counts == inner_counts


def _counts(call: SpanCall) -> tuple[int, int] | None:
    tokens = call.found.tokens
    return None if tokens is None else (tokens.input_tokens, tokens.output_tokens)


def _by_key(calls: Iterable[SpanCall]) -> list[SpanCall]:
    """Spans that are not inside one another, of one response."""
    found: dict[str, SpanCall] = {}
    for call in calls:
        key = call.key
        found[key] = merged(found[key], call) if key in found else call
    return list(found.values())


def merged(one: SpanCall, other: SpanCall) -> SpanCall:
    """One call of the two: the first one's span and outcome, with what only the other one knows."""
    mine, its = one.found, other.found
    takes_id = other.has_trusted_id and not one.has_trusted_id
    tokens = _fuller(mine.tokens, its.tokens)
    is_mine = tokens is mine.tokens
    found = Extracted(
        tokens=tokens,
        model=mine.model or its.model,
        provider=its.provider if takes_id else mine.provider or its.provider,
        response_id=its.response_id if takes_id else mine.response_id,
        service_tier=mine.service_tier or its.service_tier,
        finish_reason=mine.finish_reason or its.finish_reason,
        is_adjusted=mine.is_adjusted if is_mine else its.is_adjusted,
        problems=mine.problems if is_mine else its.problems,
    )
    both_failed = one.failed and other.failed
    others = {name: value for name, value in other.span.attributes.items() if both_failed or name != ERROR_TYPE}
    span = replace(
        one.span,
        attributes={**others, **one.span.attributes},
        resource={**other.span.resource, **one.span.resource},
        status_message=one.span.status_message or (other.span.status_message if both_failed else ""),
        exception=one.span.exception or (other.span.exception if both_failed else {}),
    )
    return SpanCall(span=span, found=found)


def _fuller(mine: TokenUsage | None, its: TokenUsage | None) -> TokenUsage | None:
    """That of the two which tells more classes of tokens."""
    if mine is None or its is None:
        return mine or its
    return its if _told(its) > _told(mine) else mine


def _told(tokens: TokenUsage) -> int:
    return sum(getattr(tokens, name) > 0 for name in TOKEN_FIELDS)


def _nearest_call_around(place: Place, known: dict[Place, Span], calls: dict[Place, SpanCall]) -> Place | None:
    trace_id, parent_id = place[0], known[place].parent_id
    for _ in range(MAX_DEPTH):
        around = (trace_id, parent_id)
        if around not in known or around == place:
            return None
        if around in calls:
            return around
        parent_id = known[around].parent_id
    return None


def _depth(place: Place, known: dict[Place, Span]) -> int:
    depth = 0
    while depth < MAX_DEPTH and (place := (place[0], known[place].parent_id)) in known:
        depth += 1
    return depth
