"""Spans from OTLP's protobuf, by the messages of the package opentelemetry-proto: the extra `otel`."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from rest_framework.exceptions import ParseError, UnsupportedMediaType

from costtrack.api.otlp.bodies import PROTOBUF
from costtrack.api.otlp.decoded import Decoded
from costtrack.api.otlp.messages import check_messages
from costtrack.extraction.spans import Span

TRACE_ID_BYTES, SPAN_ID_BYTES = 16, 8
ERROR = 2


def spans_in_protobuf(body: bytes) -> Decoded:
    """The spans of an ExportTraceServiceRequest.

    Raises ParseError for what is none, BodyTooLarge for too many messages, UnsupportedMediaType without the extra.
    """
    messages = service_messages()
    check_messages(body)
    try:
        request = messages.ExportTraceServiceRequest.FromString(body)
    except import_module("google.protobuf.message").DecodeError as error:
        raise ParseError(f"The body is no ExportTraceServiceRequest: {error}.") from None
    decoded = Decoded()
    for of_resource in request.resource_spans:
        resource = _attributes(of_resource.resource.attributes)
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                decoded.add(_span(span, resource=resource, scope=of_scope.scope.name))
    return decoded


def service_messages() -> Any:
    """The messages of OTLP's trace service. Where they are not installed, UnsupportedMediaType says the cure."""
    try:
        from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
    except ModuleNotFoundError:
        raise UnsupportedMediaType(
            PROTOBUF,
            f"{PROTOBUF} can not be read here: the server needs `pip install 'costtrack[otel]'`. Or send "
            "application/json, by OTEL_EXPORTER_OTLP_PROTOCOL=http/json where the exporter knows it.",
        ) from None
    return trace_service_pb2


def _span(span: Any, *, resource: dict[str, Any], scope: str) -> Span | None:
    trace_id, span_id = _id(span.trace_id, TRACE_ID_BYTES), _id(span.span_id, SPAN_ID_BYTES)
    if not trace_id or not span_id:
        return None
    return Span(
        trace_id=trace_id,
        span_id=span_id,
        parent_id=_id(span.parent_span_id, SPAN_ID_BYTES),
        scope=scope,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        attributes=_attributes(span.attributes),
        resource=resource,
        is_error=span.status.code == ERROR,
        status_message=span.status.message,
        exception=next((_attributes(one.attributes) for one in reversed(span.events) if one.name == "exception"), {}),
    )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return tuple(_scalar(member) for member in value.array_value.values)
    return _scalar(value)


def _scalar(value: Any) -> Any:
    """Of a text, a number or a boolean; None of the rest, which nothing here reads."""
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind in ("string_value", "int_value", "double_value", "bool_value") else None


def _id(value: bytes, length: int) -> str:
    """As hex digits; "" for none, and for one that is all zeros, which stands for none."""
    return value.hex() if len(value) == length and any(value) else ""
