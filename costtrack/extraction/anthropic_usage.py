"""Token counts of Anthropic's Messages API, whose `input_tokens` leaves cached tokens out."""

from __future__ import annotations

from costtrack.domain.tokens import TokenUsage
from costtrack.extraction.counts import UsageReader
from costtrack.extraction.fields import items, read, read_text


def read_anthropic(usage: object, reader: UsageReader) -> TokenUsage | None:
    """Cache reads and writes are added into the input: that is the convention of TokenUsage, not Anthropic's.

    A compaction within the call is billed but not in the top-level counts: its iterations are added
    (platform.claude.com/docs, compaction, read 2026-11). An advisor's tokens are another model's, at another
    rate: they are only noted.
    """
    iterations = read(usage, "iterations")
    entries = [usage] if iterations is None else [usage, *_more_entries(iterations, reader)]
    fresh, output = reader.whole(usage, "input_tokens"), reader.whole(usage, "output_tokens")
    cache_read = cache_write = cache_write_1h = fresh_more = output_more = 0
    for entry in entries:
        if entry is not usage:
            fresh_more += reader.whole(entry, "input_tokens") or 0
            output_more += reader.whole(entry, "output_tokens") or 0
        cache_read += reader.whole(entry, "cache_read_input_tokens") or 0
        total, hour = _cache_writes(entry, reader)
        cache_write += total
        cache_write_1h += hour
    cached = cache_read + cache_write + fresh_more
    details = read(usage, "output_tokens_details")
    return reader.tokens(
        None if fresh is None and not cached else (fresh or 0) + cached,
        None if output is None else output + output_more,
        cache_read_tokens=cache_read,
        cache_write_tokens=cache_write - cache_write_1h,
        cache_write_1h_tokens=cache_write_1h,
        reasoning_tokens=0 if details is None else reader.part(details, "thinking_tokens"),
    )


def _more_entries(iterations: object, reader: UsageReader) -> list[object]:
    entries = []
    for iteration in items(iterations):
        kind = read_text(iteration, "type")
        if kind == "compaction":
            entries.append(iteration)
        elif kind == "advisor_message":
            reader.adjust(f"tokens of the advisor {read_text(iteration, 'model') or 'model'} are not counted")
    return entries


def _cache_writes(usage: object, reader: UsageReader) -> tuple[int, int]:
    """All tokens written to the cache, and those of them that live one hour."""
    total = reader.whole(usage, "cache_creation_input_tokens")
    split = read(usage, "cache_creation")
    if split is None:
        return total or 0, 0
    five_minutes = reader.part(split, "ephemeral_5m_input_tokens")
    hour = reader.part(split, "ephemeral_1h_input_tokens")
    if total is None:
        total = five_minutes + hour
    if hour > total:
        reader.adjust(f"ephemeral_1h_input_tokens {hour} is more than cache_creation_input_tokens {total}")
        hour = total
    return total, hour
