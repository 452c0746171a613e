"""Usage that is sent: events, alone or many, and what becomes of them."""

from __future__ import annotations

from typing import Any

from costtrack.api.cloud_events import BATCHED, STRUCTURED
from costtrack.api.ingest import MAX_EVENTS, UsageView
from costtrack.api.openapi.described import JSON, Answer, Body, Component, Operation, json_answer
from costtrack.api.openapi.problems import FIELDS, PROBLEM
from costtrack.api.openapi.values import (
    AMOUNT,
    ANY_FLAG,
    ANY_TEXT,
    COST,
    COUNT,
    INSTANT,
    INT64,
    INTEGER,
    TEXT,
    TOKENS,
    WRITTEN_NUMBER,
    about,
    choice,
    list_of,
    nullable,
    record,
)
from costtrack.budgets.problem import CONTENT_TYPE
from costtrack.domain.events import CostSource
from costtrack.metering.cleaning import MAX_KEY_LENGTH, MAX_LATENCY_MS

NO_NUL = r"^[^\u0000]*$"
ANY_KEY = {
    "type": ["string", "integer", "null"],
    "maxLength": MAX_KEY_LENGTH,
    "pattern": r"^[^\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]*$",
    **INT64,
}
"""An idempotency key: kept as it is, or refused."""
METADATA = {"type": ["object", "null"], "propertyNames": {"pattern": NO_NUL}}

OWNERS: dict[str, Any] = {
    "organization": about(ANY_TEXT, "Its slug; needed where the caller may send to several."),
    "project": about(ANY_TEXT, "Its slug; appears when it is first named."),
    "agent": about(ANY_TEXT, "Its slug; without a project it belongs to the project `default`."),
}
CONTEXT: dict[str, Any] = {
    "sprint": ANY_TEXT,
    "workflow": ANY_TEXT,
    "stage": ANY_TEXT,
    "thread_id": about(ANY_TEXT, "The conversation."),
    "request_id": ANY_TEXT,
    "entity_type": ANY_TEXT,
    "entity_id": ANY_TEXT,
    "entity": {
        "type": ["array", "null"],
        "items": {"type": ["string", "integer"], "pattern": NO_NUL, **INT64},
        "minItems": 2,
        "maxItems": 2,
        "description": 'Type and id, such as ["job", "42"]: short for the two before.',
    },
    "endpoint": about(ANY_TEXT, "The feature's name."),
    "customer": about(ANY_TEXT, "The end user who was served."),
    "user": about(ANY_TEXT, "The host's own user id."),
    "run": ANY_TEXT,
}
TAGS = {
    "type": ["object", "null"],
    "propertyNames": {"pattern": NO_NUL},
    "additionalProperties": {"type": ["string", "number", "boolean", "null"], "pattern": NO_NUL},
    "description": "Free names and texts.",
}
CALL: dict[str, Any] = {
    "model": about(ANY_TEXT, "The id as the provider writes it."),
    "provider": about(ANY_TEXT, "Who makes or hosts the model; else it is derived from the model."),
    "gateway": about(ANY_TEXT, "Through whom it was called, if not directly."),
    "service_tier": ANY_TEXT,
    "resource_type": {
        **ANY_TEXT,
        "pattern": r"^[^\u0000]*[^\u0000\s][^\u0000]*$",
        "description": "`llm_tokens` (the default), `api_call`, `gpu_seconds` ...",
    },
}
FIGURES: dict[str, Any] = {
    "input_tokens": about(TOKENS, "All of them, those from and to a cache included."),
    "output_tokens": about(TOKENS, "All of them, reasoning included."),
    "cache_read_tokens": about(TOKENS, "Part of the input."),
    "cache_write_tokens": about(TOKENS, "Part of the input: to a cache that lives 5 minutes."),
    "cache_write_1h_tokens": about(TOKENS, "Part of the input: to a cache that lives an hour."),
    "input_audio_tokens": about(TOKENS, "Part of the input."),
    "reasoning_tokens": about(TOKENS, "Part of the output."),
    "output_audio_tokens": about(TOKENS, "Part of the output."),
    "amount": about(AMOUNT, "Units of the resource type, where it is not tokens."),
    "cost_usd": about(AMOUNT, "What the provider reported: it wins over any rate."),
    "latency_ms": {"type": ["number", "null"], "minimum": 0, "maximum": MAX_LATENCY_MS},
    "success": ANY_FLAG,
    "error": about(ANY_TEXT, "What went wrong: it makes the call a failed one."),
    "is_estimated": about(ANY_FLAG, "The figures are an estimate."),
    "saving_usd": {
        "anyOf": [
            {"type": "number", "exclusiveMinimum": -(10**12), "exclusiveMaximum": 10**12},
            {"type": "string", "pattern": "^-?" + WRITTEN_NUMBER.removeprefix("^")},
            {"type": "null"},
        ],
        "description": "What a cache, a cascade or compression avoided; never counted as cost.",
    },
    "saving_kind": ANY_TEXT,
    "saving_basis": ANY_TEXT,
    "metadata": about(METADATA, "Any data of at most 8 levels; secrets and prompts are not stored."),
}
EVENT_FIELDS: dict[str, Any] = {
    "idempotency_key": about(ANY_KEY, "Sent again with the same, usage is charged once."),
    "occurred_at": about(nullable(INSTANT), "Default: now. It decides the price and the day."),
    **CALL,
    **FIGURES,
    **OWNERS,
    **CONTEXT,
    "tags": TAGS,
}
"""Named as the fields of `record_usage`; null is not given."""
EVENT = Component("Event", record(EVENT_FIELDS, optional=tuple(EVENT_FIELDS), description="One usage."))
MANY = {"minItems": 1, "maxItems": MAX_EVENTS}
EVENTS = Component("Events", record({"events": list_of(EVENT, **MANY)}))
DATA_FIELDS = {name: schema for name, schema in EVENT_FIELDS.items() if name != "idempotency_key"}
CLOUD_EVENT = Component(
    "CloudEvent",
    {
        "type": "object",
        "description": "A CloudEvent 1.0; `source` and `id` are the usage's idempotency key.",
        "properties": {
            "specversion": {"type": "string", "const": "1.0"},
            "id": {"type": "string", "minLength": 1, "pattern": NO_NUL},
            "source": {"type": "string", "minLength": 1, "pattern": r"^[^\u0000\s]+$", "format": "uri-reference"},
            "type": {"type": "string", "minLength": 1, "pattern": NO_NUL},
            "time": about(nullable(INSTANT), "When it occurred, unless the data say so."),
            "datacontenttype": {"type": ["string", "null"], "pattern": r"^application/json$"},
            "data": record(DATA_FIELDS, optional=tuple(DATA_FIELDS)),
        },
        "required": ["specversion", "id", "source", "type", "data"],
        "not": {"required": ["data_base64"]},
    },
)

COST_SOURCE = choice("CostSource", tuple(CostSource), "Where a cost comes from; `unpriced`: no price is known.")
OUTCOME_FIELDS: dict[str, Any] = {
    "index": about(COUNT, "Which one of those that were sent, from 0."),
    "status": choice("EventStatus", ("accepted", "duplicate", "conflict", "rejected"), "What became of an event."),
    "idempotency_key": nullable(TEXT),
    "usage_id": nullable(INTEGER),
    "cost_usd": COST,
    "cost_source": nullable(COST_SOURCE),
    "reason": about(nullable(TEXT), "Why it was not booked."),
}
OUTCOME = Component(
    "EventOutcome",
    record(OUTCOME_FIELDS, description="The figures of a duplicate and of a conflict are those of what stands."),
)
COUNTS = {name: COUNT for name in ("accepted", "duplicate", "conflict", "rejected")}
RESULTS = {**COUNTS, "results": list_of(OUTCOME)}
BOOKED = Component("Booked", record(RESULTS))
PROBLEM_FIELDS = {name: schema for name, schema in FIELDS.items() if name not in ("parameter", "errors")}
NOTHING_BOOKED = Component(
    "NothingBooked", record({**PROBLEM_FIELDS, **RESULTS}, description="Not one event is in the ledger.")
)
AN_EVENT = {
    "idempotency_key": "call-1",
    "occurred_at": "2026-11-26T09:30:00Z",
    "provider": "openai",
    "model": "gpt-4o",
    "input_tokens": 1200,
    "output_tokens": 80,
    "project": "website",
    "agent": "writer",
    "thread_id": "t1",
}

OPERATIONS = (
    Operation(
        view=UsageView,
        method="POST",
        id="send_usage",
        tag="usage",
        body=Body(
            content={
                JSON: {"anyOf": [EVENT, list_of(EVENT, **MANY), EVENTS]},
                STRUCTURED: CLOUD_EVENT,
                BATCHED: list_of(CLOUD_EVENT, **MANY),
            },
            examples={"one": AN_EVENT, "several": {"events": [AN_EVENT]}},
        ),
        answers={
            202: json_answer(
                "What became of each; at least one is in the ledger.",
                BOOKED,
                example={
                    "accepted": 1,
                    "duplicate": 0,
                    "conflict": 0,
                    "rejected": 0,
                    "results": [
                        {
                            "index": 0,
                            "status": "accepted",
                            "idempotency_key": "call-1",
                            "usage_id": 17,
                            "cost_usd": "0.0038",
                            "cost_source": "estimated",
                            "reason": None,
                        }
                    ],
                },
            ),
            400: Answer(
                about="The body is not acceptable, or none of its events is.",
                content={CONTENT_TYPE: {"anyOf": [PROBLEM, NOTHING_BOOKED]}},
            ),
            409: Answer(
                about="All keys stand for other usage.",
                content={CONTENT_TYPE: NOTHING_BOOKED},
            ),
        },
    ),
)
