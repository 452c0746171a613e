"""Errors: every one is a problem document (RFC 9457), described once per status."""

from __future__ import annotations

from typing import Any

from costtrack.api.openapi.described import Answer, Component
from costtrack.api.openapi.values import DECIMAL, INSTANT, INTEGER, TEXT, about, by_name, list_of, nullable, record
from costtrack.budgets.problem import CONTENT_TYPE

CHALLENGE = Component(
    "Challenge",
    {
        "description": "How to authenticate: `Bearer`, and what the host's own views ask for.",
        "required": True,
        "schema": TEXT,
    },
    "headers",
)
RETRY_AFTER = Component(
    "RetryAfter", {"description": "Seconds until it may be tried again.", "schema": INTEGER}, "headers"
)

REQUEST_ID = Component(
    "RequestId",
    {"description": "The request's own X-Request-ID, or a new one.", "required": True, "schema": TEXT},
    "headers",
)
EVERY_ANSWER = {"X-Request-ID": REQUEST_ID}

FIELDS = {
    "type": {"type": "string", "const": "about:blank"},
    "title": about(TEXT, "The status in words."),
    "status": about({"type": "integer", "minimum": 400, "maximum": 599}, "The response's status."),
    "detail": about(TEXT, "What was seen, and what is expected."),
    "parameter": about(TEXT, "The one of the query that is to blame."),
    "errors": by_name(list_of(TEXT), "By the body's fields, what is wrong with them."),
}
PROBLEM = Component("Problem", record(FIELDS, optional=("parameter", "errors"), description="An error."))

REFUSAL_FIELDS = {
    "type": {"type": "string"},
    "title": TEXT,
    "status": INTEGER,
    "detail": TEXT,
    "budget": about(TEXT, 'Its name; "" where it is not known which budgets there are.'),
    "organization": TEXT,
}
EXCEEDED = Component(
    "BudgetExceeded",
    record(
        {
            **REFUSAL_FIELDS,
            "type": {"type": "string", "const": "urn:costtrack:budget-exceeded"},
            "scope": by_name({"type": "string"}, "What the budget is about, and which subject of it."),
            "metric": TEXT,
            "limit": nullable(DECIMAL),
            "spent": DECIMAL,
            "held": about(DECIMAL, "By other calls that are being made."),
            "needed": about(DECIMAL, "The most that the call would take."),
            "resets_at": about(nullable(INSTANT), "When its period ends; null: never."),
        },
        description="The worst case of the call does not fit into a budget. Figures are in its metric.",
    ),
)
UNKNOWN_WORST_CASE = Component(
    "UnknownWorstCase",
    record(
        {**REFUSAL_FIELDS, "type": {"type": "string", "const": "urn:costtrack:unknown-worst-case"}},
        description="A budget of dollars can not hold for a call of which nobody knows what it may cost.",
    ),
)
BUDGET_UNAVAILABLE = Component(
    "BudgetUnavailable",
    record(
        {**REFUSAL_FIELDS, "type": {"type": "string", "const": "urn:costtrack:budget-unavailable"}},
        description="A budget could not be asked.",
    ),
)


def problem(name: str, text: str, schema: Any = PROBLEM, **headers: Component) -> Component:
    """An error as a shared answer. Headers by their names with `_` for `-`."""
    named = {header.replace("_", "-"): part for header, part in headers.items()}
    content = {CONTENT_TYPE: {"schema": schema}}
    return Component(name, {"description": text, "headers": {**EVERY_ANSWER, **named}, "content": content}, "responses")


BAD_REQUEST = problem("BadRequest", "A parameter or a value is not acceptable, or not known.")
UNAUTHORIZED = problem("Unauthorized", "Nobody known, or a key that is not valid.", WWW_Authenticate=CHALLENGE)
REFUSED = problem(
    "Refused",
    "A budget refuses the call: it must not be made.",
    {"oneOf": [EXCEEDED, UNKNOWN_WORST_CASE]},
)
FORBIDDEN = problem("Forbidden", "Known, but not granted; or a session without its CSRF token.")
NOT_FOUND = problem("NotFound", "Unknown, or of somebody else.")
NOT_ACCEPTABLE = problem("NotAcceptable", "None of the formats that are asked for is served.")
CONFLICT = problem("Conflict", "It has ended, or stands, with something else.")
TOO_LARGE = problem("TooLarge", "The body is longer than INGEST_MAX_BYTES.")
UNSUPPORTED = problem("UnsupportedMediaType", "The body is no JSON, or compressed.")
THROTTLED = problem("TooManyRequests", "Above INGEST_RATE, or a throttle of the host's.", Retry_After=RETRY_AFTER)
UNAVAILABLE = problem("Unavailable", "The database does not answer now, or not in time. Try again.")
ETAG = Component(
    "ETag",
    {"description": "What the answer in JSON or Markdown is known again by, in `If-None-Match`.", "schema": TEXT},
    "headers",
)
NOT_MODIFIED = Answer(about="The client has this answer already.", headers={"ETag": ETAG})
PRECONDITION_FAILED = problem("PreconditionFailed", "The answer is none of those in `If-Match`.")

EVERYWHERE: dict[int, Answer | Component] = {
    400: BAD_REQUEST,
    401: UNAUTHORIZED,
    403: FORBIDDEN,
    404: NOT_FOUND,
    406: NOT_ACCEPTABLE,
    429: THROTTLED,
    503: UNAVAILABLE,
}
"""Of every operation. 404: of an organization, or a format, that is not there."""
WITH_ETAG: dict[int, Answer | Component] = {304: NOT_MODIFIED, 412: PRECONDITION_FAILED}
"""Of those besides whose answers have an ETag."""
WITH_BODY: dict[int, Answer | Component] = {413: TOO_LARGE, 415: UNSUPPORTED}
"""Of those besides that take a body."""
