"""Anthropic's streams, which spread their counts over events: input and cache in the first, output in the last."""

from __future__ import annotations

from costtrack.extraction.counts import whole_number
from costtrack.extraction.fields import read, read_all

COUNTING_EVENTS = ("message_start", "message_delta")
ANTHROPIC_EVENTS = (*COUNTING_EVENTS, "message_stop")
_ANTHROPIC_USAGE = frozenset(
    (
        "input_tokens",
        "output_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "cache_creation",
        "output_tokens_details",
        "iterations",
        "service_tier",
        "speed",
    )
)


def counted_in(event: object, kind: str) -> tuple[object, object]:
    """The message, or event, that has counts as Anthropic sends them, and its usage; None and None if it has none."""
    body = read(event, "message") if kind == "message_start" else event
    usage = read(body, "usage")
    return (None, None) if usage is None or read(usage, "output_tokens") is None else (body, usage)


def merge_usage(merged: dict[str, object], usage: object) -> None:
    """Lays a later event's usage over the earlier ones'. Counts are cumulative, so the larger one stands.

    Some servers send the input as 0 in the first event, others in the last.
    """
    told = read_all(usage, _ANTHROPIC_USAGE)
    if not merged:
        merged.update(told)
        return
    for name, value in told.items():
        later, earlier = whole_number(value), whole_number(merged.get(name))
        if later is None or earlier is None or later > earlier:
            merged[name] = value
