"""Reservations: the worst case of a call is held, then settled, released or renewed."""

from __future__ import annotations

from typing import Any

from costtrack.api.holds import MAX_TTL_SECONDS, ReleaseView, RenewView, ReserveView, SettleView
from costtrack.api.openapi.described import JSON, Answer, Body, Link, Operation, json_answer
from costtrack.api.openapi.events import (
    CALL,
    CONTEXT,
    COST_SOURCE,
    EVENT_FIELDS,
    OWNERS,
)
from costtrack.api.openapi.parameters import parameter
from costtrack.api.openapi.problems import BUDGET_UNAVAILABLE, CONFLICT, PROBLEM, REFUSED
from costtrack.api.openapi.values import (
    AMOUNT,
    ANY_FLAG,
    ANY_TEXT,
    COST,
    ID,
    INSTANT,
    INTEGER,
    TEXT,
    TOKENS,
    about,
    choice,
    nullable,
    record,
)
from costtrack.budgets.problem import CONTENT_TYPE

TTL = {"type": ["number", "null"], "minimum": 1, "maximum": MAX_TTL_SECONDS, "description": "How long it holds."}
RESERVE_FIELDS: dict[str, Any] = {
    "idempotency_key": about(ANY_TEXT, "Any text: asked again with the same, the same hold is found."),
    **CALL,
    "input_tokens": about(TOKENS, "How much the call reads; or give `input`."),
    "input": {"type": ["string", "array", "object", "null"], "description": "What it reads: counted, stored nowhere."},
    "max_output_tokens": about(TOKENS, "The most that it answers."),
    "writes_cache": about(ANY_FLAG, "The input may be written to a cache."),
    "amount": about(AMOUNT, "The most units, where the resource type is not tokens."),
    "max_cost_usd": about(AMOUNT, "The most that it costs, if that is known better than by the rates."),
    "ttl_seconds": TTL,
    **OWNERS,
    **CONTEXT,
}
SETTLE_FIELDS = {
    name: schema
    for name, schema in EVENT_FIELDS.items()
    if name not in ("idempotency_key", "occurred_at", "organization")
}
HELD = record(
    {
        "id": about(nullable(ID), "null: no budget asks for a hold."),
        "state": nullable({"type": "string", "const": "held"}),
        "expires_at": nullable(INSTANT),
    }
)
SETTLED = record(
    {
        "id": ID,
        "state": {"type": "string", "const": "settled"},
        "status": choice("SettledStatus", ("accepted", "duplicate")),
        "idempotency_key": TEXT,
        "usage_id": INTEGER,
        "cost_usd": COST,
        "cost_source": COST_SOURCE,
    }
)
HOLD_ID = {"hold_id": parameter("hold_id", ID, "As `reserve` answered it.", place="path")}
CALL_EXAMPLE = {
    "provider": "openai",
    "model": "gpt-4o",
    "input_tokens": 1200,
    "max_output_tokens": 400,
    "idempotency_key": "call-2",
    "project": "website",
}
HELD_EXAMPLE = {
    "id": "eba19d0c-ed69-50f3-8b43-201e152d3cf7",
    "state": "held",
    "expires_at": "2026-11-26T17:04:00+00:00",
}
WHAT_NEXT = {
    name: Link(id=f"{name}_hold", parameters={"hold_id": "$response.body#/id"}, about=text)
    for name, text in (
        ("settle", "Once the call has answered: what it used."),
        ("release", "If the call is not made."),
        ("renew", "If the call takes longer."),
    )
}

OPERATIONS = (
    Operation(
        view=ReserveView,
        method="POST",
        id="reserve",
        tag="holds",
        body=Body(
            content={JSON: record(RESERVE_FIELDS, optional=tuple(RESERVE_FIELDS))}, examples={"call": CALL_EXAMPLE}
        ),
        answers={
            201: json_answer("It is held: the call may be made.", HELD, example=HELD_EXAMPLE, links=WHAT_NEXT),
            200: json_answer("It was held before, under the same key.", HELD, links=WHAT_NEXT),
            402: REFUSED,
            409: CONFLICT,
            503: Answer(
                about="A budget could not be asked. Try again.",
                content={CONTENT_TYPE: {"anyOf": [BUDGET_UNAVAILABLE, PROBLEM]}},
            ),
        },
    ),
    Operation(
        view=SettleView,
        method="POST",
        id="settle_hold",
        tag="holds",
        path=HOLD_ID,
        body=Body(
            content={JSON: record(SETTLE_FIELDS, optional=tuple(SETTLE_FIELDS))},
            examples={"call": {"input_tokens": 1200, "output_tokens": 80}},
        ),
        answers={200: json_answer("It is booked.", SETTLED), 409: CONFLICT},
    ),
    Operation(
        view=ReleaseView,
        method="POST",
        id="release_hold",
        tag="holds",
        path=HOLD_ID,
        answers={
            200: json_answer(
                "It holds nothing any more.", record({"id": ID, "state": {"type": "string", "const": "released"}})
            ),
            409: CONFLICT,
        },
    ),
    Operation(
        view=RenewView,
        method="POST",
        id="renew_hold",
        tag="holds",
        path=HOLD_ID,
        body=Body(
            content={JSON: record({"ttl_seconds": TTL}, optional=("ttl_seconds",))},
            examples={"an hour": {"ttl_seconds": 3600}},
            is_required=False,
        ),
        answers={
            200: json_answer(
                "It holds longer.",
                record({"id": ID, "state": {"type": "string", "const": "held"}, "expires_at": INSTANT}),
            ),
            409: CONFLICT,
        },
    ),
)
