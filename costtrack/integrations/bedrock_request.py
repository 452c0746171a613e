"""What a request to Bedrock says before it is sent: Converse's parameters, or a body in its model's own format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from costtrack.extraction.fields import as_text, items, read, read_first
from costtrack.integrations.request_body import fields_of, marks_cache
from costtrack.integrations.watched_body import decoded
from costtrack.metering.arguments import INPUT_NAMES, MAX_OUTPUT_NAMES
from costtrack.metering.expected import Expected, token_count_or_none
from costtrack.metering.given_fields import EventFields

_OTHER_INPUT_NAMES = ("inputText", "message", "texts", "chat_history")
"""Titan's; Cohere's."""
_OTHER_MAX_NAMES = ("max_gen_len", "maxTokens", "max_new_tokens", "maxTokenCount")
"""Llama's; Nova's, AI21's and Converse's; Titan's."""
_SETTINGS = ("inferenceConfig", "textGenerationConfig")
"""Where some have their maximum."""


def fields_of_params(params: Mapping[str, Any], models: Mapping[str, str]) -> EventFields:
    """Provider, model and service tier as they are asked for."""
    model = as_text(params.get("modelId"))
    tier = params.get("serviceTier")
    tier = tier if isinstance(tier, str) else read(tier, "type")
    return {"provider": "aws", **fields_of({"model": models.get(model, model), "service_tier": tier})}


def expected_of_params(params: Mapping[str, Any], *, operation: str) -> Expected:
    """The worst case of the request."""
    body: object = params
    is_embedding = False
    if operation.startswith("InvokeModel"):
        raw = params.get("body")
        body = decoded(raw) if isinstance(raw, (bytes, bytearray, str)) else None  # a file is not read
        is_embedding = "embed" in as_text(params.get("modelId"))
    if not isinstance(body, Mapping):
        return Expected()
    names = (*INPUT_NAMES, *_OTHER_INPUT_NAMES)
    inputs = [value for value in (body.get(name) for name in names) if value is not None]
    tools = [tool for tool in _tools(body)]
    most = 0 if is_embedding else None
    for source in (body, *(body.get(name) for name in _SETTINGS)):
        told = token_count_or_none(read_first(source, *MAX_OUTPUT_NAMES, *_OTHER_MAX_NAMES))
        most = most if told is None else told
    return Expected(
        max_output_tokens=most,
        inputs=(*inputs, tools) if tools else tuple(inputs),
        writes_cache=marks_cache(body) or _has_cache_point(body),
    )


def _tools(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Converse's definitions of tools, by the names that the count knows."""
    for tool in items(read(body.get("toolConfig"), "tools")):
        spec = read(tool, "toolSpec")
        if spec is not None:
            schema = read(read(spec, "inputSchema"), "json")
            yield {"name": read(spec, "name"), "description": read(spec, "description"), "parameters": schema}


def _has_cache_point(body: Mapping[str, Any]) -> bool:
    """Converse's and Nova's mark, a block of its own."""
    messages = (read(message, "content") for message in items(body.get("messages")))
    places = (body.get("system"), read(body.get("toolConfig"), "tools"), *messages)
    return any(read(block, "cachePoint") is not None for place in places for block in items(place))
