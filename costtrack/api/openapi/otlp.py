"""Spans of OpenTelemetry, as OTLP/HTTP sends them."""

from __future__ import annotations

from typing import Any

from costtrack.api.openapi.described import JSON, Answer, Body, Component, Operation
from costtrack.api.openapi.problems import CHALLENGE, RETRY_AFTER
from costtrack.api.openapi.values import TEXT, about, record
from costtrack.api.otlp.bodies import PROTOBUF
from costtrack.api.otlp.traces import TracesView

BINARY = {"type": "string", "format": "binary"}


def objects(of: dict[str, Any], text: str) -> dict[str, Any]:
    """A list of objects that may have other fields, too; null is none."""
    items = {"type": "object", **({"properties": of} if of else {})}
    return {"type": ["array", "null"], "items": items, "description": text}


SPANS = objects({}, "Spans in OTLP's JSON. Those without valid `traceId` and `spanId` are told as rejected.")
REQUEST = Component(
    "ExportTraceServiceRequest",
    {
        "type": "object",
        "properties": {
            "resourceSpans": objects(
                {
                    "resource": {"type": ["object", "null"], "description": "The process: its `attributes`."},
                    "scopeSpans": objects(
                        {
                            "scope": {"type": ["object", "null"], "description": "The instrumentation: its `name`."},
                            "spans": SPANS,
                        },
                        "By instrumentation.",
                    ),
                },
                "By process.",
            )
        },
        "description": "As OTLP 1 has it. Fields that are not known are passed over.",
    },
)
PARTIAL = record(
    {
        "rejectedSpans": about({"type": "string", "pattern": "^[1-9][0-9]*$"}, "How many calls were not booked."),
        "errorMessage": about(TEXT, "Why, of the first one."),
    }
)
RESPONSE = Component("ExportTraceServiceResponse", record({"partialSuccess": PARTIAL}, optional=("partialSuccess",)))
STATUS = Component("Status", record({"message": TEXT}, description="google.rpc.Status: what was seen, and expected."))
AN_ATTRIBUTE = {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}
AN_EXPORT = {
    "resourceSpans": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "website"}}]},
            "scopeSpans": [
                {
                    "spans": [
                        {
                            "traceId": "5b8efff798038103d269b633813fc60c",
                            "spanId": "eee19b7ec3c1b174",
                            "attributes": [
                                AN_ATTRIBUTE,
                                {"key": "gen_ai.provider.name", "value": {"stringValue": "openai"}},
                                {"key": "gen_ai.request.model", "value": {"stringValue": "gpt-4o"}},
                                {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "1200"}},
                                {"key": "gen_ai.usage.output_tokens", "value": {"intValue": "80"}},
                            ],
                        }
                    ]
                }
            ],
        }
    ]
}


def failure(text: str, **headers: Component) -> Answer:
    """An error in OTLP's form. Headers by their names with `_` for `-`."""
    named = {name.replace("_", "-"): part for name, part in headers.items()}
    return Answer(about=text, content={JSON: STATUS, PROTOBUF: BINARY}, headers=named)


OPERATIONS = (
    Operation(
        view=TracesView,
        method="POST",
        id="send_traces",
        tag="usage",
        body=Body(content={JSON: REQUEST}, examples={"one": AN_EXPORT}),
        answers={
            200: Answer(
                about="All calls are in the ledger, but for those that `partialSuccess` tells of.",
                content={JSON: RESPONSE, PROTOBUF: BINARY},
                example={},
            ),
            400: failure("The body is none, or a parameter is not acceptable."),
            401: failure("Nobody known, or a key that is not valid.", WWW_Authenticate=CHALLENGE),
            403: failure("Known, but not granted; or a session without its CSRF token."),
            404: failure("An organization that is unknown, or somebody else's."),
            406: failure("None of the formats that are asked for is served."),
            413: failure("The body is longer than INGEST_MAX_BYTES, packed or unpacked, or has too many spans."),
            415: failure("Another media type or compression; or protobuf, and the server has no `costtrack[otel]`."),
            429: failure("Above INGEST_RATE, or a throttle of the host's.", Retry_After=RETRY_AFTER),
            503: failure("The database does not answer now. Send them again."),
        },
    ),
)
