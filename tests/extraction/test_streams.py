"""Streams: where each provider puts its usage, and what a broken stream tells."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from costtrack.domain.tokens import TokenUsage
from costtrack.extraction import Extracted, extract_stream
from tests.extraction.shapes import every_shape


def chunk(choices: list[Any], **more: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
        "object": "chat.completion.chunk",
        "model": "gpt-4o-2024-08-06",
        "choices": choices,
        "usage": None,
        **more,
    }


TEXT = {"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}
STOP = {"index": 0, "delta": {}, "finish_reason": "stop"}


@every_shape
def test_openai_chat_sends_usage_in_a_last_chunk_without_choices(shape) -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
    chunks = [chunk([TEXT]), chunk([TEXT]), chunk([STOP]), chunk([], usage=usage)]
    assert extract_stream(shape(chunks), provider="openai") == Extracted(
        tokens=TokenUsage(input_tokens=9, output_tokens=2),
        model="gpt-4o-2024-08-06",
        provider="openai",
        response_id="chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
        finish_reason="stop",
    )


def test_a_stream_without_usage_still_tells_model_and_id() -> None:
    found = extract_stream([chunk([TEXT]), chunk([STOP])])
    assert found.tokens is None
    assert (found.model, found.response_id) == ("gpt-4o-2024-08-06", "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT")
    assert found.finish_reason == "stop"
    assert extract_stream([], model="gpt-4o") == Extracted(model="gpt-4o")


def test_cumulative_usage_in_every_chunk_counts_once() -> None:
    chunks = [
        chunk([TEXT], usage={"prompt_tokens": 9, "completion_tokens": count, "total_tokens": 9 + count})
        for count in (1, 2, 3)
    ]
    assert extract_stream(chunks).tokens == TokenUsage(input_tokens=9, output_tokens=3)


@every_shape
def test_openai_responses_sends_usage_in_its_completed_event(shape) -> None:
    response = {
        "id": "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b",
        "object": "response",
        "model": "gpt-5-2025-08-07",
        "status": "in_progress",
        "usage": None,
    }
    usage = {
        "input_tokens": 37,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 11,
        "output_tokens_details": {"reasoning_tokens": 4},
        "total_tokens": 48,
    }
    events = [
        {"type": "response.created", "sequence_number": 0, "response": response},
        {"type": "response.output_text.delta", "sequence_number": 1, "delta": "Hi"},
        {
            "type": "response.completed",
            "sequence_number": 2,
            "response": {**response, "status": "completed", "usage": usage},
        },
    ]
    assert extract_stream(shape(events)) == Extracted(
        tokens=TokenUsage(input_tokens=37, output_tokens=11, reasoning_tokens=4),
        model="gpt-5-2025-08-07",
        response_id="resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b",
        finish_reason="completed",
    )


@every_shape
def test_gemini_repeats_its_counts_and_the_last_chunk_holds(shape) -> None:
    def part(**usage: int) -> dict[str, Any]:
        return {
            "candidates": [{"content": {"parts": [{"text": "Hi"}]}}],
            "usageMetadata": {"promptTokenCount": 8, **usage},
            "modelVersion": "gemini-2.5-flash",
            "responseId": "mAitaLmkHPPlz7IPvtfUqQ4",
        }

    last = part(candidatesTokenCount=20, thoughtsTokenCount=30, totalTokenCount=58)
    last["candidates"] = [{"finishReason": "STOP"}]
    found = extract_stream(shape([part(), part(candidatesTokenCount=9), last]))
    assert found.tokens == TokenUsage(input_tokens=8, output_tokens=50, reasoning_tokens=30)
    assert (found.provider, found.finish_reason) == ("google", "STOP")


@every_shape
def test_ollama_counts_in_its_done_chunk(shape) -> None:
    chunks = [
        {"model": "llama3.2", "message": {"role": "assistant", "content": "Hi"}, "done": False},
        {"model": "llama3.2", "done": True, "done_reason": "stop", "prompt_eval_count": 26, "eval_count": 282},
    ]
    found = extract_stream(shape(chunks))
    assert found.tokens == TokenUsage(input_tokens=26, output_tokens=282)
    assert (found.provider, found.finish_reason) == ("ollama", "stop")


def test_bedrock_converse_stream_has_a_metadata_event() -> None:
    usage = {"inputTokens": 4, "outputTokens": 38, "totalTokens": 1362, "cacheReadInputTokens": 1320}
    events = [
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": {"delta": {"text": "Hi"}, "contentBlockIndex": 0}},
        {"contentBlockStop": {"contentBlockIndex": 0}},
        {"messageStop": {"stopReason": "end_turn"}},
        {"metadata": {"usage": usage, "metrics": {"latencyMs": 1200}}},
    ]
    found = extract_stream(events, provider="bedrock", model="us.amazon.nova-pro-v1:0")
    assert found.tokens == TokenUsage(input_tokens=1324, output_tokens=38, cache_read_tokens=1320)
    assert (found.model, found.finish_reason) == ("us.amazon.nova-pro-v1:0", "end_turn")


def test_bedrocks_metrics_count_where_the_model_does_not() -> None:
    metrics = {"inputTokenCount": 17, "outputTokenCount": 25, "invocationLatency": 480, "firstByteLatency": 90}
    chunks = [
        {"outputs": [{"text": "Hi", "stop_reason": None}]},
        {"outputs": [{"text": "", "stop_reason": "stop"}], "amazon-bedrock-invocationMetrics": metrics},
    ]
    found = extract_stream(chunks, model="mistral.mistral-7b-instruct-v0:2")
    assert (found.tokens, found.provider) == (TokenUsage(input_tokens=17, output_tokens=25), "aws")


def test_groq_has_its_usage_in_x_groq() -> None:
    usage = {"prompt_tokens": 18, "completion_tokens": 556, "total_tokens": 574}
    chunks = [
        {**chunk([TEXT]), "x_groq": {"id": "req_01j"}},
        {**chunk([STOP]), "x_groq": {"id": "req_01j", "usage": usage}},
    ]
    found = extract_stream(chunks)
    assert (found.tokens, found.provider) == (TokenUsage(input_tokens=18, output_tokens=556), "groq")
    assert (found.response_id, found.finish_reason) == ("chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT", "stop")


def test_cohere_ends_with_its_usage() -> None:
    v2 = [
        {"type": "message-start", "id": "29f14a5a-11de-4cae-9800-25e4747408ea", "delta": {"message": {}}},
        {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "Hi"}}}},
        {
            "type": "message-end",
            "delta": {
                "finish_reason": "COMPLETE",
                "usage": {"billed_units": {"input_tokens": 8, "output_tokens": 110}},
            },
        },
    ]
    found = extract_stream(v2, model="command-a-03-2025")
    assert found.tokens == TokenUsage(input_tokens=8, output_tokens=110)
    assert (found.provider, found.finish_reason) == ("cohere", "COMPLETE")
    assert found.response_id == "29f14a5a-11de-4cae-9800-25e4747408ea"
    v1 = [
        {"event_type": "text-generation", "text": "Hi"},
        {
            "event_type": "stream-end",
            "finish_reason": "COMPLETE",
            "response": {"response_id": "r", "meta": {"billed_units": {"input_tokens": 8, "output_tokens": 2}}},
        },
    ]
    assert extract_stream(v1).tokens == TokenUsage(input_tokens=8, output_tokens=2)


def test_openrouter_reports_its_cost_in_the_last_chunk() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11, "cost": 0.95, "is_byok": False}
    found = extract_stream([chunk([TEXT]), chunk([STOP], usage=usage)])
    assert (found.reported_cost_usd, found.provider) == (Decimal("0.95"), "openrouter")


def test_chunks_of_any_kind_are_passed_over() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 2}
    chunks = ["data", b"raw", None, 7, object(), [1], {}, {"type": 3}, chunk([], usage=usage), "[DONE]"]
    assert extract_stream(chunks).tokens == TokenUsage(input_tokens=9, output_tokens=2)
