"""Spans from OTLP's JSON: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding, read 2026-11."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from rest_framework.exceptions import ParseError

from costtrack.api.otlp.decoded import Decoded
from costtrack.extraction.spans import Span

TRACE_ID, SPAN_ID = re.compile(r"[0-9a-fA-F]{32}"), re.compile(r"[0-9a-fA-F]{16}")
NO_ID = re.compile(r"0+")
ERROR_CODES = (2, "STATUS_CODE_ERROR")
MAX_DIGITS = 20


def spans_in_json(body: bytes) -> Decoded:
    """The spans of an ExportTraceServiceRequest; fields that are not known are passed over, as OTLP demands.

    Raises ParseError for a body that is not built like one. A span without valid ids is malformed.
    """
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ParseError(f"The body is no JSON: {error}.") from None
    if not isinstance(data, dict):
        raise ParseError(f"The body is {type(data).__name__}, expected an object with resourceSpans.")
    decoded = Decoded()
    for of_resource in _objects(data, "resourceSpans"):
        resource = _attributes(_object(of_resource, "resource"))
        for of_scope in _objects(of_resource, "scopeSpans"):
            scope = _text(_object(of_scope, "scope").get("name"))
            for span in _objects(of_scope, "spans"):
                decoded.add(_span(span, resource=resource, scope=scope))
    return decoded


def _span(span: Mapping[str, Any], *, resource: Mapping[str, Any], scope: str) -> Span | None:
    trace_id, span_id = _id(span.get("traceId"), TRACE_ID), _id(span.get("spanId"), SPAN_ID)
    if not trace_id or not span_id:
        return None
    status = _object(span, "status")
    return Span(
        trace_id=trace_id,
        span_id=span_id,
        parent_id=_id(span.get("parentSpanId"), SPAN_ID),
        scope=scope,
        start_ns=_whole(span.get("startTimeUnixNano")) or 0,
        end_ns=_whole(span.get("endTimeUnixNano")) or 0,
        attributes=_attributes(span),
        resource=resource,
        is_error=status.get("code") in ERROR_CODES,
        status_message=_text(status.get("message")),
        exception=_exception_in(span),
    )


def _exception_in(span: Mapping[str, Any]) -> Mapping[str, Any]:
    for event in reversed(_objects(span, "events")):
        if event.get("name") == "exception":
            return _attributes(event)
    return {}


def _attributes(owner: Mapping[str, Any]) -> dict[str, Any]:
    return dict(_pairs(owner))


def _pairs(owner: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for pair in _objects(owner, "attributes"):
        name, value = pair.get("key"), pair.get("value")
        if isinstance(name, str) and isinstance(value, dict):
            yield name, _value(value)


def _value(value: Mapping[str, Any]) -> Any:
    """Of a text, a number, a boolean, or a list of those; None of the rest, which nothing here reads."""
    if "arrayValue" in value:
        members = _objects(_object(value, "arrayValue"), "values")
        return tuple(_scalar(member) for member in members)
    return _scalar(value)


def _scalar(value: Mapping[str, Any]) -> Any:
    for kind in ("stringValue", "boolValue", "doubleValue"):
        if isinstance(value.get(kind), str | bool | int | float):
            return value[kind]
    return _whole(value.get("intValue"))


def _objects(owner: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    members = owner.get(name)
    if members is None:
        return []
    if not isinstance(members, list) or not all(isinstance(member, dict) for member in members):
        raise ParseError(f"{name}: got {type(members).__name__}, expected a list of objects.")
    return members


def _object(owner: Mapping[str, Any], name: str) -> dict[str, Any]:
    member = owner.get(name)
    if member is None:
        return {}
    if not isinstance(member, dict):
        raise ParseError(f"{name}: got {type(member).__name__}, expected an object.")
    return member


def _id(value: object, form: re.Pattern[str]) -> str:
    """In lower case; "" for none, and for one that is all zeros, which stands for none."""
    return value.lower() if isinstance(value, str) and form.fullmatch(value) and not NO_ID.fullmatch(value) else ""


def _whole(value: object) -> int | None:
    """A whole number of 64 bits, which JSON may have as text; None for anything else."""
    if isinstance(value, str) and len(value) <= MAX_DIGITS and value.isascii() and value.removeprefix("-").isdigit():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
