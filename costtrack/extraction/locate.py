"""Where in a response the usage is, and in which of the formats."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from costtrack.domain.tokens import TokenUsage
from costtrack.extraction.anthropic_usage import read_anthropic
from costtrack.extraction.bedrock_usage import read_converse, read_headers, read_llama, read_metrics, read_titan
from costtrack.extraction.counts import UsageReader
from costtrack.extraction.fields import may_have, read, read_first
from costtrack.extraction.openai_usage import read_chat, read_responses, read_total
from costtrack.extraction.other_usage import read_cohere, read_gemini, read_ollama

Format = Callable[[object, UsageReader], TokenUsage | None]

_FORMATS: tuple[tuple[str, Format], ...] = (
    ("prompt_tokens", read_chat),
    ("completion_tokens", read_chat),
    ("cache_read_input_tokens", read_anthropic),
    ("cache_creation_input_tokens", read_anthropic),
    ("cache_creation", read_anthropic),
    ("iterations", read_anthropic),
    ("input_tokens", read_responses),
    ("output_tokens", read_responses),
    ("inputTokens", read_converse),
    ("outputTokens", read_converse),
    ("promptTokenCount", read_gemini),
    ("prompt_token_count", read_gemini),
    ("totalTokenCount", read_gemini),
    ("total_token_count", read_gemini),
    ("billed_units", read_cohere),
    ("tokens", read_cohere),
    ("total_tokens", read_total),
)
"""The first of these fields that a usage object has names its format. Anthropic's counts without a cache read
alike in either format of `input_tokens`."""

_CHAT = frozenset(("prompt_tokens", "completion_tokens"))
_OTHER_FORMATS = tuple((name, read_tokens) for name, read_tokens in _FORMATS if name not in _CHAT)
_USAGE_FIELDS = ("usage", "usageMetadata", "usage_metadata", "meta")

_BODY_FORMATS: tuple[tuple[str, Format], ...] = (
    ("prompt_eval_count", read_ollama),
    ("eval_count", read_ollama),
    ("generation_token_count", read_llama),
    ("inputTextTokenCount", read_titan),
    ("inputTokenCount", read_metrics),
)
"""Formats that have their counts at the top of the body."""

_WRAPPERS = ("response", "message", "metadata", "delta", "body", "result", "amazon-bedrock-invocationMetrics")
"""What holds the body in stream events, batch results and gateways' envelopes."""

_PLACES = frozenset((*(name for name, _ in _BODY_FORMATS), "x_groq", *_WRAPPERS))
"""Where else than in its own usage a body may have the counts."""

_OPAQUE = (str, bytes, bytearray, int, float, list, tuple, type(None))


class Located(NamedTuple):
    """A usage object, the body that it stood in, and the function that reads its format."""

    read_tokens: Format
    usage: object
    body: object


def locate(response: object) -> Located | None:
    """The usage in a response, a stream event, or an envelope of one; None where there is none."""
    if isinstance(response, _OPAQUE):
        return None
    return _locate_in(response, depth=2) or _locate_in_headers(response)


def _locate_in(body: object, *, depth: int) -> Located | None:
    for name in _USAGE_FIELDS:
        usage = read(body, name)
        if usage is not None:
            read_tokens = _format_of(usage)
            if read_tokens is not None:
                return Located(read_tokens, usage, body)
    if not may_have(body, _PLACES):
        return None
    for name, read_tokens in _BODY_FORMATS:
        if read(body, name) is not None:
            return Located(read_tokens, body, body)
    groq = read(read(body, "x_groq"), "usage")
    if groq is not None:
        return Located(read_chat, groq, body)
    if depth:
        for name in _WRAPPERS:
            inner = read(body, name)
            if not isinstance(inner, _OPAQUE):
                located = _locate_in(inner, depth=depth - 1)
                if located is not None:
                    return located
    return None


def _locate_in_headers(response: object) -> Located | None:
    """InvokeModel's answer as boto3 gives it: its body is a stream, which must not be read here."""
    headers = read(read(response, "ResponseMetadata"), "HTTPHeaders")
    if read_first(headers, "x-amzn-bedrock-input-token-count", "x-amzn-bedrock-output-token-count") is None:
        return None
    return Located(read_headers, headers, response)


def _format_of(usage: object) -> Format | None:
    if isinstance(usage, _OPAQUE):
        return None
    for name, read_tokens in _FORMATS if may_have(usage, _CHAT) else _OTHER_FORMATS:
        if read(usage, name) is not None:
            if read_tokens is not read_anthropic:
                return read_tokens
            is_included = read_first(usage, "input_tokens_details", "input_token_details") is not None
            return read_responses if is_included else read_anthropic
    return None
