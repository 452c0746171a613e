"""Token counts of makers with a format of their own: Gemini, Cohere, Ollama."""

from __future__ import annotations

from costtrack.domain.tokens import TokenUsage
from costtrack.extraction.counts import UsageReader
from costtrack.extraction.fields import as_text, items, read, read_first


def read_gemini(usage: object, reader: UsageReader) -> TokenUsage | None:
    """Gemini and Vertex AI, REST (camelCase) and SDK (snake_case).

    The prompt count includes cached tokens, but not what tools put into the prompt; the candidates leave the
    thoughts out. Cached audio is in both details: it is a cache read here.
    """
    prompt = reader.whole(usage, "promptTokenCount", "prompt_token_count")
    tool_use = reader.whole(usage, "toolUsePromptTokenCount", "tool_use_prompt_token_count")
    candidates = reader.whole(
        usage, "candidatesTokenCount", "candidates_token_count", "responseTokenCount", "response_token_count"
    )
    thoughts = reader.whole(usage, "thoughtsTokenCount", "thoughts_token_count") or 0
    audio = _audio(usage, reader, "promptTokensDetails", "prompt_tokens_details")
    tool_audio = _audio(usage, reader, "toolUsePromptTokensDetails", "tool_use_prompt_tokens_details")
    cached_audio = _audio(usage, reader, "cacheTokensDetails", "cache_tokens_details")
    return reader.tokens(
        None if prompt is None and tool_use is None else (prompt or 0) + (tool_use or 0),
        (candidates or 0) + thoughts,
        cache_read_tokens=reader.part(usage, "cachedContentTokenCount", "cached_content_token_count"),
        input_audio_tokens=max(audio - cached_audio, 0) + tool_audio,
        reasoning_tokens=thoughts,
        output_audio_tokens=_audio(
            usage, reader, "candidatesTokensDetails", "candidates_tokens_details", "responseTokensDetails"
        ),
    )


def read_cohere(usage: object, reader: UsageReader) -> TokenUsage | None:
    """Cohere v1 (`meta`) and v2 (`usage`): the billed units are what is charged; `tokens` counts more."""
    units = read_first(usage, "billed_units", "tokens")
    return reader.tokens(
        reader.whole(units, "input_tokens"),
        reader.whole(units, "output_tokens"),
    )


def read_ollama(body: object, reader: UsageReader) -> TokenUsage | None:
    """Ollama's own /api/chat, /api/generate and /api/embed. An embedding has no `eval_count`."""
    return reader.tokens(reader.whole(body, "prompt_eval_count"), reader.whole(body, "eval_count"))


def _audio(usage: object, reader: UsageReader, *names: str) -> int:
    """The audio tokens in one of Gemini's lists of counts per modality."""
    audio = 0
    for entry in items(read_first(usage, *names)):
        if as_text(read(entry, "modality")).upper() == "AUDIO":
            audio += reader.part(entry, "tokenCount", "token_count")
    return audio
