"""Token counts in OpenAI's three usage formats and their many imitations: chat, responses, embeddings."""

from __future__ import annotations

from costtrack.domain.frozen import frozen_from
from costtrack.domain.tokens import TokenUsage, plain_usage
from costtrack.extraction.counts import UsageReader
from costtrack.extraction.fields import may_have, read, read_first

_OF_OTHERS = frozenset(
    (
        "prompt_cache_hit_tokens",
        "cache_read_input_tokens",
        "cached_tokens",
        "cache_write_tokens",
        "cache_creation_input_tokens",
        "reasoning_tokens",
    )
)
"""Counts that OpenAI has in the details, and some of those who speak its format beside the totals."""
_PREDICTIONS = frozenset(("accepted_prediction_tokens", "rejected_prediction_tokens"))
"""Parts of the output that have no price of their own."""


def is_chat_usage(usage: object) -> bool:
    """Whether it is an object of an SDK that has the two totals of `read_chat`."""
    fields = getattr(usage, "__dict__", {})
    return fields.get("prompt_tokens") is not None and fields.get("completion_tokens") is not None


def read_chat(usage: object, reader: UsageReader) -> TokenUsage | None:
    """Chat completions, completions, embeddings: `prompt_tokens` includes cached ones.

    Spoken by Azure, Mistral, AI21, Groq, DeepSeek, xAI, OpenRouter, Perplexity, vLLM, LiteLLM and more.
    """
    plain = _plain_chat(usage)
    if plain is not None:
        return plain
    details = read(usage, "prompt_tokens_details")
    others = usage if may_have(usage, _OF_OTHERS) else None
    cache_read = cache_write = cache_write_1h = input_audio = 0
    if details is not None:
        cache_read = reader.part(details, "cached_tokens")
        cache_write = reader.part(details, "cache_write_tokens", "cache_creation_tokens")
        cache_write_1h = reader.part(read(details, "cache_creation_token_details"), "ephemeral_1h_input_tokens")
        input_audio = _fresh_audio(reader, details)
    if others is not None:
        cache_read = cache_read or reader.part(
            others, "prompt_cache_hit_tokens", "cache_read_input_tokens", "cached_tokens"
        )
        cache_write = cache_write or reader.part(others, "cache_write_tokens", "cache_creation_input_tokens")
    output_details = read(usage, "completion_tokens_details")
    return _tokens(
        usage,
        reader,
        input_tokens=reader.whole(usage, "prompt_tokens"),
        output_tokens=reader.whole(usage, "completion_tokens"),
        cache_read=cache_read,
        cache_write=cache_write,
        cache_write_1h=cache_write_1h,
        input_audio=input_audio,
        reasoning=reader.part(output_details, "reasoning_tokens") or reader.part(others, "reasoning_tokens"),
        output_audio=reader.part(output_details, "audio_tokens"),
    )


def _plain_chat(usage: object) -> TokenUsage | None:
    """What `read_chat` reads, of an SDK's object that OpenAI has filled; None if anything of it needs a closer look.

    Looked at without a call: a metered call waits for it.
    """
    fields = getattr(usage, "__dict__", None)
    if fields is None or getattr(usage, "__pydantic_extra__", None) or not _OF_OTHERS.isdisjoint(fields):
        return None
    get = fields.get
    parts = {}
    for details, part in (
        ("prompt_tokens_details", "cached_tokens"),
        ("completion_tokens_details", "reasoning_tokens"),
    ):
        told = get(details)
        if told is not None:
            figures = getattr(told, "__dict__", None)
            if figures is None or getattr(told, "__pydantic_extra__", None):
                return None
            for name, value in figures.items():
                if value and name != part and name not in _PREDICTIONS:
                    return None
            parts[part] = figures.get(part)
    input_tokens, output_tokens, reasoning = (
        get("prompt_tokens"),
        get("completion_tokens"),
        parts.get("reasoning_tokens"),
    )
    tokens = plain_usage(input_tokens, output_tokens, parts.get("cached_tokens"))
    if tokens is None or get("total_tokens") != input_tokens + output_tokens:
        return None
    if not reasoning:
        return tokens
    if type(reasoning) is not int or not 0 < reasoning <= output_tokens:
        return None
    return frozen_from(TokenUsage, {**vars(tokens), "reasoning_tokens": reasoning})


def read_responses(usage: object, reader: UsageReader) -> TokenUsage | None:
    """Responses, realtime and transcription: `input_tokens` includes cached ones.

    Objects of frameworks that count so (LangChain's usage_metadata, costtrack's own names) are read here too.
    """
    details = read_first(usage, "input_tokens_details", "input_token_details")
    cache_read = reader.part(details, "cached_tokens", "cache_read", "cache_read_input_tokens") or reader.part(
        usage, "cache_read_tokens"
    )
    write_1h = reader.part(details, "ephemeral_1h_input_tokens")
    write_5m = reader.part(details, "ephemeral_5m_input_tokens")
    cache_write = reader.part(details, "cache_write_tokens", "cache_creation") or reader.part(
        usage, "cache_write_tokens"
    )
    output_details = read_first(usage, "output_tokens_details", "output_token_details")
    return _tokens(
        usage,
        reader,
        input_tokens=reader.whole(usage, "input_tokens"),
        output_tokens=reader.whole(usage, "output_tokens"),
        cache_read=cache_read,
        cache_write=max(cache_write, write_5m + write_1h),
        cache_write_1h=write_1h,
        input_audio=_fresh_audio(reader, details),
        reasoning=reader.part(output_details, "reasoning_tokens", "reasoning", "thinking_tokens"),
        output_audio=reader.part(output_details, "audio_tokens", "audio"),
    )


def read_total(usage: object, reader: UsageReader) -> TokenUsage | None:
    """Only `total_tokens`, as some embedding and rerank services report: all of it is input."""
    return reader.tokens(reader.whole(usage, "total_tokens"), 0)


def _fresh_audio(reader: UsageReader, details: object) -> int:
    """Audio input that did not come from the cache; only the realtime API says which part did."""
    if details is None:
        return 0
    audio = reader.part(details, "audio_tokens", "audio")
    cached = reader.part(read(details, "cached_tokens_details"), "audio_tokens")
    return max(audio - cached, 0)


def _tokens(
    usage: object,
    reader: UsageReader,
    *,
    input_tokens: int | None,
    output_tokens: int | None,
    cache_read: int,
    cache_write: int,
    cache_write_1h: int,
    input_audio: int,
    reasoning: int,
    output_audio: int,
) -> TokenUsage | None:
    """Settles by `total_tokens` what imitations leave out of their input and output.

    xAI leaves reasoning out of the output; some servers leave cached tokens out of the input; Gemini's
    OpenAI-compatible endpoint leaves thinking out of the output and reports it nowhere but in the total.
    """
    total = reader.whole(usage, "total_tokens")
    if total is not None and input_tokens is not None and output_tokens is not None:
        left_out = total - input_tokens - output_tokens
        if left_out > 0:
            if left_out == reasoning:
                output_tokens += reasoning
            elif left_out == cache_read + cache_write:
                input_tokens += left_out
            elif not reasoning and "gemini" in reader.model.lower():
                output_tokens += left_out
                reasoning = left_out
    cache_write_1h = min(cache_write_1h, cache_write)
    return reader.tokens(
        input_tokens,
        output_tokens,
        cache_read_tokens=cache_read,
        cache_write_tokens=cache_write - cache_write_1h,
        cache_write_1h_tokens=cache_write_1h,
        input_audio_tokens=input_audio,
        reasoning_tokens=reasoning,
        output_audio_tokens=output_audio,
    )
