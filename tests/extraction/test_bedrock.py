"""Amazon Bedrock: Converse, InvokeModel in each maker's format, and the HTTP headers."""

from __future__ import annotations

import io
from typing import Any

from costtrack.domain.tokens import TokenUsage
from costtrack.extraction import Extracted, extract

SONNET = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
REQUEST_ID = "0fbe5a5f-2f8e-4b0f-9d38-1d1c6e2a9e43"


def metadata(**headers: str) -> dict[str, Any]:
    return {
        "RequestId": REQUEST_ID,
        "HTTPStatusCode": 200,
        "HTTPHeaders": {
            "date": "Mon, 24 Nov 2025 10:00:00 GMT",
            "content-type": "application/json",
            "x-amzn-requestid": REQUEST_ID,
            **{f"x-amzn-bedrock-{name.replace('_', '-')}": value for name, value in headers.items()},
        },
        "RetryAttempts": 0,
    }


def converse(**usage: Any) -> dict[str, Any]:
    return {
        "ResponseMetadata": metadata(),
        "output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}},
        "stopReason": "end_turn",
        "usage": usage,
        "metrics": {"latencyMs": 551},
    }


def test_converse_leaves_cached_tokens_out_of_the_input_so_they_are_added() -> None:
    """4 + 1320 read + 200 written = 1524 input tokens; totalTokens says so too: 1524 + 38 = 1562."""
    body = converse(
        inputTokens=4, outputTokens=38, totalTokens=1562, cacheReadInputTokens=1320, cacheWriteInputTokens=200
    )
    assert extract(body, model=SONNET) == Extracted(
        tokens=TokenUsage(input_tokens=1524, output_tokens=38, cache_read_tokens=1320, cache_write_tokens=200),
        model=SONNET,
        provider="aws",
        response_id=REQUEST_ID,
        finish_reason="end_turn",
    )


def test_cache_details_tell_the_one_hour_writes() -> None:
    body = converse(
        inputTokens=4,
        outputTokens=38,
        totalTokens=342,
        cacheReadInputTokens=0,
        cacheWriteInputTokens=300,
        cacheDetails=[{"ttl": "1h", "inputTokens": 100}, {"ttl": "5m", "inputTokens": 200}],
    )
    assert extract(body).tokens == TokenUsage(
        input_tokens=304, output_tokens=38, cache_write_tokens=200, cache_write_1h_tokens=100
    )


def test_the_service_tier_is_an_object() -> None:
    body = {**converse(inputTokens=1, outputTokens=1), "serviceTier": {"type": "priority"}}
    assert extract(body).service_tier == "priority"


def test_invoke_model_as_boto3_returns_it_is_counted_by_its_headers_and_its_stream_is_not_read() -> None:
    stream = io.BytesIO(b'{"outputs": [{"text": "Hi", "stop_reason": "stop"}]}')
    response = {
        "ResponseMetadata": metadata(input_token_count="17", output_token_count="25", invocation_latency="480"),
        "contentType": "application/json",
        "body": stream,
    }
    found = extract(response, model="mistral.mistral-large-2402-v1:0")
    assert found.tokens == TokenUsage(input_tokens=17, output_tokens=25)
    assert (found.provider, found.response_id) == ("aws", REQUEST_ID)
    assert found.model == "mistral.mistral-large-2402-v1:0"
    assert stream.tell() == 0


def test_the_headers_tell_cached_tokens_too() -> None:
    headers = metadata(
        input_token_count="4",
        output_token_count="38",
        cache_read_input_token_count="1320",
        cache_write_input_token_count="200",
    )
    assert extract({"ResponseMetadata": headers}).tokens == TokenUsage(
        input_tokens=1524, output_tokens=38, cache_read_tokens=1320, cache_write_tokens=200
    )


def test_an_anthropic_body_keeps_the_regional_model_id_of_the_call() -> None:
    body = {
        "id": "msg_bdrk_01TW6wbPiQ3e5dwnDWoiVQrX",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": [],
        "stop_reason": "max_tokens",
        "usage": {
            "input_tokens": 8,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 1000,
            "output_tokens": 2,
        },
    }
    found = extract(body, model=SONNET)
    assert found.tokens == TokenUsage(input_tokens=1008, output_tokens=2, cache_read_tokens=1000)
    assert (found.provider, found.model, found.finish_reason) == ("aws", SONNET, "max_tokens")
    assert extract(body).model == "claude-sonnet-4-5-20250929"


def test_nova_reports_like_converse() -> None:
    body = {
        "output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}},
        "stopReason": "end_turn",
        "usage": {
            "inputTokens": 5,
            "outputTokens": 7,
            "totalTokens": 112,
            "cacheReadInputTokenCount": 100,
            "cacheWriteInputTokenCount": 0,
        },
    }
    assert extract(body, provider="bedrock").tokens == TokenUsage(
        input_tokens=105, output_tokens=7, cache_read_tokens=100
    )


def test_titan_counts_each_result() -> None:
    body = {
        "inputTextTokenCount": 9,
        "results": [
            {"tokenCount": 20, "outputText": "a", "completionReason": "FINISH"},
            {"tokenCount": 5, "outputText": "b", "completionReason": "LENGTH"},
        ],
    }
    found = extract(body)
    assert found.tokens == TokenUsage(input_tokens=9, output_tokens=25)
    assert (found.provider, found.finish_reason) == ("aws", "FINISH")


def test_titan_embeddings_have_input_only() -> None:
    assert extract({"embedding": [0.5], "inputTextTokenCount": 6}).tokens == TokenUsage(input_tokens=6)


def test_llama_counts_at_the_top_of_its_body() -> None:
    body = {
        "generation": "Hi",
        "prompt_token_count": 25,
        "generation_token_count": 14,
        "stop_reason": "length",
    }
    found = extract(body)
    assert found.tokens == TokenUsage(input_tokens=25, output_tokens=14)
    assert (found.provider, found.finish_reason) == ("aws", "length")


def test_a_body_parsed_by_the_caller_is_read_in_its_envelope() -> None:
    response = {
        "ResponseMetadata": metadata(input_token_count="25", output_token_count="14"),
        "body": {"generation": "Hi", "prompt_token_count": 25, "generation_token_count": 14, "stop_reason": "stop"},
    }
    found = extract(response)
    assert found.tokens == TokenUsage(input_tokens=25, output_tokens=14)
    assert (found.response_id, found.finish_reason) == (REQUEST_ID, "stop")
