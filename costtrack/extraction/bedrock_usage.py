"""Token counts that only Amazon Bedrock sends: Converse, Nova, Titan, Llama, stream metrics, HTTP headers.

Bodies of InvokeModel in a maker's own format (Anthropic, Mistral, Cohere, AI21) are read by that format.
"""

from __future__ import annotations

from costtrack.domain.tokens import TokenUsage
from costtrack.extraction.counts import UsageReader
from costtrack.extraction.fields import items, read, read_text


def read_converse(usage: object, reader: UsageReader) -> TokenUsage | None:
    """Converse, ConverseStream's metadata, and Nova: `inputTokens` leaves cached tokens out, like Anthropic's."""
    hour = 0
    for detail in items(read(usage, "cacheDetails")):
        if read_text(detail, "ttl") == "1h":
            hour += reader.part(detail, "inputTokens")
    return _with_cache(
        reader,
        fresh=reader.whole(usage, "inputTokens"),
        output=reader.whole(usage, "outputTokens"),
        cache_read=reader.whole(usage, "cacheReadInputTokens", "cacheReadInputTokenCount") or 0,
        cache_write=reader.whole(usage, "cacheWriteInputTokens", "cacheWriteInputTokenCount") or 0,
        cache_write_1h=hour,
    )


def read_metrics(metrics: object, reader: UsageReader) -> TokenUsage | None:
    """`amazon-bedrock-invocationMetrics`, in the last chunk of every InvokeModelWithResponseStream."""
    return _with_cache(
        reader,
        fresh=reader.whole(metrics, "inputTokenCount"),
        output=reader.whole(metrics, "outputTokenCount"),
        cache_read=reader.whole(metrics, "cacheReadInputTokenCount") or 0,
        cache_write=reader.whole(metrics, "cacheWriteInputTokenCount") or 0,
    )


def read_headers(headers: object, reader: UsageReader) -> TokenUsage | None:
    """The HTTP headers of InvokeModel: they count where the model's own body does not."""
    return _with_cache(
        reader,
        fresh=reader.whole(headers, "x-amzn-bedrock-input-token-count"),
        output=reader.whole(headers, "x-amzn-bedrock-output-token-count"),
        cache_read=reader.whole(headers, "x-amzn-bedrock-cache-read-input-token-count") or 0,
        cache_write=reader.whole(headers, "x-amzn-bedrock-cache-write-input-token-count") or 0,
    )


def read_titan(body: object, reader: UsageReader) -> TokenUsage | None:
    """Titan text (one count per result) and Titan embeddings (input only)."""
    counts = [reader.whole(result, "tokenCount") for result in items(read(body, "results"))]
    streamed = reader.whole(body, "totalOutputTextTokenCount")
    output = streamed if streamed is not None else sum(count or 0 for count in counts)
    return reader.tokens(reader.whole(body, "inputTextTokenCount"), output)


def read_llama(body: object, reader: UsageReader) -> TokenUsage | None:
    """Meta's Llama: both counts at the top of the body."""
    return reader.tokens(reader.whole(body, "prompt_token_count"), reader.whole(body, "generation_token_count"))


def _with_cache(
    reader: UsageReader,
    *,
    fresh: int | None,
    output: int | None,
    cache_read: int,
    cache_write: int,
    cache_write_1h: int = 0,
) -> TokenUsage | None:
    cached = cache_read + cache_write
    if cache_write_1h > cache_write:
        reader.adjust(f"cacheDetails has {cache_write_1h} tokens of 1h, but {cache_write} were written")
        cache_write_1h = cache_write
    return reader.tokens(
        None if fresh is None and not cached else (fresh or 0) + cached,
        output,
        cache_read_tokens=cache_read,
        cache_write_tokens=cache_write - cache_write_1h,
        cache_write_1h_tokens=cache_write_1h,
    )
