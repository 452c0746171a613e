"""Anthropic's stream events, which spread one usage over several; direct and inside Bedrock's chunks."""

from __future__ import annotations

import json
from typing import Any

from costtrack.domain.tokens import TokenUsage
from costtrack.extraction import Extracted, StreamUsage, extract_stream
from tests.extraction.shapes import every_shape


def anthropic_events(start: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "type": "message_start",
            "message": {
                "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
                "type": "message",
                "role": "assistant",
                "content": [],
                "model": "claude-sonnet-4-5-20250929",
                "stop_reason": None,
                "usage": start,
            },
        },
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
        {"type": "content_block_stop", "index": 0},
        *(
            {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage}
            for usage in deltas
        ),
        {"type": "message_stop"},
    ]


START = {
    "input_tokens": 25,
    "cache_creation_input_tokens": 100,
    "cache_read_input_tokens": 2000,
    "cache_creation": {"ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 40},
    "output_tokens": 1,
    "service_tier": "standard",
}


@every_shape
def test_anthropic_spreads_usage_over_the_first_and_the_last_event(shape) -> None:
    """25 + 2000 + 100 = 2125 input; 60 of the 100 for five minutes, 40 for an hour."""
    assert extract_stream(shape(anthropic_events(START, {"output_tokens": 15}))) == Extracted(
        tokens=TokenUsage(
            input_tokens=2125,
            output_tokens=15,
            cache_read_tokens=2000,
            cache_write_tokens=60,
            cache_write_1h_tokens=40,
        ),
        model="claude-sonnet-4-5-20250929",
        provider="anthropic",
        response_id="msg_01XFDUDYJgAACzvnptvVoYEL",
        service_tier="standard",
        finish_reason="end_turn",
    )


def test_anthropics_deltas_are_cumulative() -> None:
    """Server tools send several deltas, which repeat the cache and may raise the input; nothing is added up."""
    deltas = [
        {"input_tokens": 25, "cache_read_input_tokens": 2000, "output_tokens": 200},
        {"input_tokens": 10_682, "cache_read_input_tokens": 2000, "output_tokens": 510},
    ]
    tokens = extract_stream(anthropic_events(START, *deltas)).tokens
    assert tokens == TokenUsage(
        input_tokens=12_782,
        output_tokens=510,
        cache_read_tokens=2000,
        cache_write_tokens=60,
        cache_write_1h_tokens=40,
    )


def test_an_anthropic_stream_whose_input_comes_last_or_first_counts_it_once() -> None:
    last = anthropic_events({"input_tokens": 0, "output_tokens": 0}, {"input_tokens": 50, "output_tokens": 7})
    first = anthropic_events({"input_tokens": 50, "output_tokens": 0}, {"input_tokens": 0, "output_tokens": 7})
    assert extract_stream(last).tokens == TokenUsage(input_tokens=50, output_tokens=7)
    assert extract_stream(first).tokens == TokenUsage(input_tokens=50, output_tokens=7)


def test_a_broken_anthropic_stream_tells_what_its_first_event_told() -> None:
    stream = StreamUsage()
    for event in anthropic_events(START, {"output_tokens": 15})[:4]:
        stream.add(event)
    tokens = stream.result().tokens
    assert tokens is not None
    assert (tokens.input_tokens, tokens.output_tokens) == (2125, 1)


def test_the_anthropic_sdks_final_event_holds_the_whole_message() -> None:
    events = anthropic_events(START, {"output_tokens": 15})
    events[-1] = {"type": "message_stop", "message": {**events[0]["message"], "usage": {**START, "output_tokens": 15}}}
    tokens = extract_stream(events).tokens
    assert tokens is not None
    assert (tokens.input_tokens, tokens.output_tokens) == (2125, 15)


def test_bedrock_invoke_model_streams_json_in_bytes() -> None:
    events = anthropic_events(START, {"output_tokens": 15})
    events[0]["message"]["id"] = "msg_bdrk_01TW6wbPiQ3e5dwnDWoiVQrX"
    events[-1]["amazon-bedrock-invocationMetrics"] = {"inputTokenCount": 25, "outputTokenCount": 15}
    raw = [{"chunk": {"bytes": json.dumps(event).encode()}} for event in events]
    found = extract_stream([*raw, {"chunk": {"bytes": b"not json"}}], model="us.anthropic.claude-sonnet-4-5")
    assert found.tokens is not None
    assert (found.tokens.input_tokens, found.tokens.output_tokens) == (2125, 15)
    assert (found.provider, found.model) == ("aws", "us.anthropic.claude-sonnet-4-5")


def test_bedrocks_metrics_count_for_an_anthropic_stream_without_usage() -> None:
    events = anthropic_events({}, {})
    events[-1]["amazon-bedrock-invocationMetrics"] = {"inputTokenCount": 15, "outputTokenCount": 4}
    assert extract_stream(events).tokens == TokenUsage(input_tokens=15, output_tokens=4)
