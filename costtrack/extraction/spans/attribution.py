"""Whom a span's call belongs to, by its own attributes and those of the process that made it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from costtrack.domain.events import Attribution
from costtrack.extraction.spans.span import Span

PREFIX = "costtrack."
TAGS = "costtrack.tags."
FIELDS = frozenset(field.name for field in fields(Attribution)) - {"tags"}
ASSOCIATED = "traceloop.association.properties."
"""Under which OpenLLMetry writes what a program associates its calls with."""

DERIVED: dict[str, tuple[str, ...]] = {
    "project": ("service.name",),
    "agent": ("gen_ai.agent.name",),
    "workflow": ("gen_ai.workflow.name", "traceloop.workflow.name"),
    "thread_id": (
        "gen_ai.conversation.id",
        "session.id",
        *(f"{ASSOCIATED}{name}" for name in ("conversation_id", "thread_id", "session_id", "chat_id")),
    ),
    "user": ("user.id", f"{ASSOCIATED}user_id"),
    "customer": ("enduser.id", "gen_ai.user", "llm.user", f"{ASSOCIATED}customer_id"),
}
"""By field, what is taken for it where nobody says `costtrack.FIELD`; the first that is there."""
ENVIRONMENT = ("deployment.environment.name", "deployment.environment")
NO_SERVICE = "unknown_service"
"""What SDKs call a service without a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanAttribution:
    """Fields of `costtrack.attribute`, as texts."""

    said: Mapping[str, str]
    """By attributes of costtrack's own: `costtrack.project`, `costtrack.thread_id` ..."""
    derived: Mapping[str, str]
    """By those that OpenTelemetry knows, for fields that are not said: they give way to what anybody else says."""
    tags: Mapping[str, str]
    """`costtrack.tags.NAME`, and `environment`."""


def attribution_of(span: Span) -> SpanAttribution:
    """What the span says; where it does not, what its resource says."""
    said: dict[str, str] = {}
    tags: dict[str, str] = {}
    for attributes in (span.resource, span.attributes):
        for name, value in attributes.items():
            if not name.startswith(PREFIX):
                continue
            text = _text(value)
            if name.startswith(TAGS):
                tags[name.removeprefix(TAGS)] = text
            elif text and name.removeprefix(PREFIX) in FIELDS:
                said[name.removeprefix(PREFIX)] = text
    derived = {
        field: text for field, names in DERIVED.items() if field not in said and (text := _first_of(span, names))
    }
    if derived.get("project", "").startswith(NO_SERVICE):
        del derived["project"]
    if environment := _first_of(span, ENVIRONMENT):
        tags.setdefault("environment", environment)
    return SpanAttribution(said=said, derived=derived, tags=tags)


def _first_of(span: Span, names: tuple[str, ...]) -> str:
    for name in names:
        if text := _text(span.attributes.get(name)) or _text(span.resource.get(name)):
            return text
    return ""


def _text(value: Any) -> str:
    """Of a text or a number; "" of anything else, and of a number that nobody writes out."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) < 2**64 else ""
    return value.strip() if isinstance(value, str) else ""
