"""The token counts of a span, as a TokenUsage: its input includes cached tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costtrack.domain.tokens import TokenUsage
from costtrack.extraction.counts import UsageReader
from costtrack.extraction.spans import names


def read_tokens(attributes: Mapping[str, Any], reader: UsageReader, *, provider: str) -> TokenUsage | None:
    """The counts in whichever dialect they are given; None if there is none that can be used.

    The conventions of all four dialects say that the input includes cached tokens, and current instrumentations follow
    them (OpenTelemetry's semantic-conventions#3163, OpenLLMetry's #2175, OpenInference's #1429, read 2026-11). Older
    ones hand on what Anthropic and Bedrock count, which is without: that is known by the total, or by parts that are
    more than their whole.
    """
    input_tokens = reader.whole(attributes, *names.INPUT)
    output_tokens = reader.whole(attributes, *names.OUTPUT)
    total = reader.whole(attributes, *names.TOTAL)
    if total is not None and input_tokens is None and output_tokens is None:
        reader.adjust("only the total of tokens is told: all of it is taken as input")
        input_tokens = total
    elif total is not None and output_tokens is None and input_tokens is not None:
        output_tokens = max(0, total - input_tokens)
    parts = {
        "cache_read_tokens": reader.part(attributes, *names.CACHE_READ),
        "cache_write_tokens": reader.part(attributes, *names.CACHE_WRITE),
    }
    cached = sum(parts.values())
    if input_tokens is not None and cached and _excludes(cached, input_tokens, output_tokens, total, reader, provider):
        input_tokens += cached
    return reader.tokens(
        input_tokens,
        output_tokens,
        **parts,
        input_audio_tokens=reader.part(attributes, *names.INPUT_AUDIO),
        reasoning_tokens=reader.part(attributes, *names.REASONING),
        output_audio_tokens=reader.part(attributes, *names.OUTPUT_AUDIO),
    )


def _excludes(
    cached: int, input_tokens: int, output_tokens: int | None, total: int | None, reader: UsageReader, provider: str
) -> bool:
    """Whether the figures prove that the input is without the cached tokens."""
    if total is not None and total == input_tokens + (output_tokens or 0) + cached:
        return True
    counts_apart = provider in ("anthropic", "aws") or "claude" in reader.model.lower()
    return counts_apart and cached > input_tokens
