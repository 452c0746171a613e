"""Bodies of OTLP/HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

PROTOBUF = "application/x-protobuf"
TRACE = "5b8efff798038103d269b633813fc60c"
CHAT_ID = "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG"
CALL: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "test-model",
    "gen_ai.response.id": CHAT_ID,
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 100,
}
"""1000 x 3 + 100 x 15 = 4,500 per million: 0.0045 USD."""


def now_ns(*, days_ago: float = 0) -> int:
    """Nanoseconds since 1970."""
    return int((datetime.now(UTC) - timedelta(days=days_ago)).timestamp()) * 10**9


def json_value(value: Any) -> dict[str, Any]:
    """An attribute's value in OTLP's JSON."""
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [json_value(one) for one in value]}}
    return {"stringValue": value}


def json_attributes(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Attributes in OTLP's JSON."""
    return [{"key": name, "value": json_value(value)} for name, value in attributes.items()]


def json_span(number: int = 1, attributes: Mapping[str, Any] = CALL, **fields: Any) -> dict[str, Any]:
    """A span, of a second that ended just now; as the specification has it: names in camelCase, 64 bits as text."""
    start = now_ns()
    values = {
        "traceId": TRACE,
        "spanId": f"{number:016x}",
        "name": "chat test-model",
        "kind": 3,
        "startTimeUnixNano": str(start - 10**9),
        "endTimeUnixNano": str(start),
        "attributes": json_attributes(attributes),
    }
    return {**values, **fields}


def json_export(*spans: Any, resource: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """An ExportTraceServiceRequest."""
    of_scope = {"scope": {"name": "test.instrumentation"}, "spans": list(spans)}
    return {"resourceSpans": [{"resource": {"attributes": json_attributes(resource or {})}, "scopeSpans": [of_scope]}]}


def protobuf_export(number: int = 1, attributes: Mapping[str, Any] = CALL) -> bytes:
    """The same, with one span, as protobuf."""
    request = ExportTraceServiceRequest()
    of_resource = request.resource_spans.add()
    of_resource.resource.attributes.append(KeyValue(key="service.name", value=AnyValue(string_value="website")))
    of_scope = of_resource.scope_spans.add()
    of_scope.scope.name = "test.instrumentation"
    span = of_scope.spans.add()
    span.trace_id, span.span_id = bytes.fromhex(TRACE), number.to_bytes(8, "big")
    span.end_time_unix_nano = now_ns()
    span.start_time_unix_nano = span.end_time_unix_nano - 10**9
    for name, value in attributes.items():
        if isinstance(value, list):
            given = AnyValue(array_value=ArrayValue(values=[AnyValue(string_value=one) for one in value]))
        elif isinstance(value, int):
            given = AnyValue(int_value=value)
        else:
            given = AnyValue(string_value=value)
        span.attributes.append(KeyValue(key=name, value=given))
    body: bytes = request.SerializeToString()
    return body


def dumped(body: Any) -> str:
    """As JSON."""
    return json.dumps(body)
