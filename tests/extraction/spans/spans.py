"""Spans as instrumentations write them."""

from __future__ import annotations

from typing import Any

from costtrack.extraction.spans import Span

TRACE = "5b8efff798038103d269b633813fc60c"
CHAT_ID = "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG"
START_NS = 1_795_176_000_000_000_000
"""2026-11-20 12:00 UTC."""


def make_span(number: int = 1, *, parent: int | None = None, **fields: Any) -> Span:
    """A span of one trace; `attributes` are its own, and those of a call of gpt-4o where none are given."""
    values: dict[str, Any] = {
        "trace_id": TRACE,
        "span_id": f"{number:016x}",
        "parent_id": "" if parent is None else f"{parent:016x}",
        "start_ns": START_NS,
        "end_ns": START_NS + 250_000_000,
        "attributes": CURRENT,
    }
    return Span(**{**values, **fields})


CURRENT: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.response.id": CHAT_ID,
    "gen_ai.response.finish_reasons": ("stop",),
    "openai.response.service_tier": "flex",
    "gen_ai.usage.input_tokens": 2000,
    "gen_ai.usage.cache_read.input_tokens": 1500,
    "gen_ai.usage.output_tokens": 300,
    "gen_ai.usage.reasoning.output_tokens": 100,
}
LEGACY: dict[str, Any] = {
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.response.id": CHAT_ID,
    "gen_ai.response.finish_reasons": ("stop",),
    "gen_ai.openai.response.service_tier": "flex",
    "gen_ai.usage.prompt_tokens": 2000,
    "gen_ai.usage.completion_tokens": 300,
}
OPENLLMETRY: dict[str, Any] = {
    "llm.request.type": "chat",
    "gen_ai.system": "OpenAI",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.response.id": CHAT_ID,
    "llm.response.finish_reason": "stop",
    "gen_ai.response.service_tier": "flex",
    "gen_ai.usage.prompt_tokens": 2000,
    "gen_ai.usage.completion_tokens": 300,
    "gen_ai.usage.cache_read_input_tokens": 1500,
    "llm.usage.reasoning_tokens": 100,
    "llm.usage.total_tokens": 2300,
}
OPENINFERENCE: dict[str, Any] = {
    "openinference.span.kind": "LLM",
    "llm.system": "openai",
    "llm.model_name": "gpt-4o-2024-08-06",
    "llm.finish_reason": "stop",
    "llm.token_count.prompt": 2000,
    "llm.token_count.completion": 300,
    "llm.token_count.total": 2300,
    "llm.token_count.prompt_details.cache_read": 1500,
    "llm.token_count.completion_details.reasoning": 100,
    "output.mime_type": "application/json",
    "output.value": '{"id":"' + CHAT_ID + '","object":"chat.completion","service_tier":"flex","choices":[]}',
}
DIALECTS = {"current": CURRENT, "legacy": LEGACY, "openllmetry": OPENLLMETRY, "openinference": OPENINFERENCE}
