"""OpenAI's chat, responses, embeddings, realtime and transcription bodies."""

from __future__ import annotations

import pytest

from costtrack.domain.tokens import TokenUsage
from costtrack.extraction import Extracted, extract
from tests.extraction.shapes import every_shape

CHAT = {
    "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
    "object": "chat.completion",
    "created": 1741569952,
    "model": "gpt-4.1-2025-04-14",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello!", "refusal": None, "annotations": []},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {
        "prompt_tokens": 2006,
        "completion_tokens": 300,
        "total_tokens": 2306,
        "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 192,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    },
    "service_tier": "default",
}

RESPONSE = {
    "id": "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b",
    "object": "response",
    "created_at": 1741476542,
    "status": "completed",
    "error": None,
    "incomplete_details": None,
    "model": "o3-2025-04-16",
    "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]}],
    "service_tier": "flex",
    "usage": {
        "input_tokens": 1360,
        "input_tokens_details": {"cached_tokens": 1024},
        "output_tokens": 870,
        "output_tokens_details": {"reasoning_tokens": 832},
        "total_tokens": 2230,
    },
    "metadata": {},
}

EMBEDDING = {
    "object": "list",
    "data": [{"object": "embedding", "embedding": [0.5, -0.25], "index": 0}],
    "model": "text-embedding-3-small",
    "usage": {"prompt_tokens": 8, "total_tokens": 8},
}


@every_shape
def test_a_chat_completion_gives_tokens_model_id_tier_and_reason(shape) -> None:
    assert extract(shape(CHAT)) == Extracted(
        tokens=TokenUsage(input_tokens=2006, output_tokens=300, cache_read_tokens=1920, reasoning_tokens=192),
        model="gpt-4.1-2025-04-14",
        provider="",
        response_id="chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
        service_tier="standard",
        finish_reason="stop",
    )


@every_shape
def test_a_response_of_the_responses_api_gives_the_same(shape) -> None:
    assert extract(shape(RESPONSE), provider="openai") == Extracted(
        tokens=TokenUsage(input_tokens=1360, output_tokens=870, cache_read_tokens=1024, reasoning_tokens=832),
        model="o3-2025-04-16",
        provider="openai",
        response_id="resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b",
        service_tier="flex",
        finish_reason="completed",
    )


def test_an_incomplete_response_says_why() -> None:
    body = {**RESPONSE, "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    assert extract(body).finish_reason == "max_output_tokens"


@every_shape
def test_an_embedding_has_input_only(shape) -> None:
    found = extract(shape(EMBEDDING))
    assert found.tokens == TokenUsage(input_tokens=8)
    assert (found.model, found.is_adjusted, found.problems) == ("text-embedding-3-small", False, ())


def test_an_embedding_service_that_only_tells_a_total_is_read_as_input() -> None:
    found = extract({"object": "list", "data": [], "model": "voyage-3-large", "usage": {"total_tokens": 10}})
    assert (found.tokens, found.is_adjusted, found.problems) == (TokenUsage(input_tokens=10), False, ())


@pytest.mark.parametrize(
    "body",
    [
        {"results": [{"index": 0, "relevance_score": 0.5}]},
        {"embeddings": [[0.5]]},
        {"output": {"embeddings": [{"embedding": [0.5]}]}, "request_id": "r"},
        {"output": {"results": []}},
    ],
)
def test_so_is_one_that_has_its_vectors_or_scores_elsewhere(body) -> None:
    found = extract({**body, "model": "m", "usage": {"total_tokens": 10}})
    assert (found.tokens, found.is_adjusted, found.problems) == (TokenUsage(input_tokens=10), False, ())


@pytest.mark.parametrize(
    "body",
    [{"choices": [{"finish_reason": "stop"}]}, {}, {"output": [{"type": "message"}]}, {"output": {"text": "Hello"}}],
)
@every_shape
def test_anything_else_that_only_tells_a_total_is_adjusted(shape, body) -> None:
    found = extract(shape({**body, "model": "m", "usage": {"total_tokens": 10}}))
    assert found.tokens == TokenUsage(input_tokens=10)
    assert (found.is_adjusted, found.problems) == (True, ("only total_tokens is told: all of it is taken as input",))


@every_shape
def test_audio_is_a_part_of_input_and_of_output(shape) -> None:
    body = {
        "model": "gpt-4o-audio-preview-2024-12-17",
        "usage": {
            "prompt_tokens": 130,
            "completion_tokens": 90,
            "total_tokens": 220,
            "prompt_tokens_details": {"cached_tokens": 20, "audio_tokens": 100},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 70},
        },
    }
    assert extract(shape(body)).tokens == TokenUsage(
        input_tokens=130, output_tokens=90, cache_read_tokens=20, input_audio_tokens=100, output_audio_tokens=70
    )


def test_realtime_says_which_audio_came_from_the_cache() -> None:
    """Of 100 audio tokens 64 were cached: 36 are fresh audio, 64 are cache reads."""
    event = {
        "type": "response.done",
        "event_id": "event_CCXLgMZPo3qioWCeQa4WH",
        "response": {
            "object": "realtime.response",
            "id": "resp_CCXHw0UJld10EzIUXQCNh",
            "usage": {
                "total_tokens": 253,
                "input_tokens": 132,
                "output_tokens": 121,
                "input_token_details": {
                    "text_tokens": 32,
                    "audio_tokens": 100,
                    "cached_tokens": 64,
                    "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 64},
                },
                "output_token_details": {"text_tokens": 30, "audio_tokens": 91},
            },
        },
    }
    found = extract(event, model="gpt-realtime")
    assert found.tokens == TokenUsage(
        input_tokens=132, output_tokens=121, cache_read_tokens=64, input_audio_tokens=36, output_audio_tokens=91
    )
    assert (found.model, found.response_id) == ("gpt-realtime", "resp_CCXHw0UJld10EzIUXQCNh")


def test_a_transcription_billed_by_tokens_is_read_and_one_billed_by_seconds_has_none() -> None:
    by_tokens = {
        "text": "Hi",
        "usage": {
            "type": "tokens",
            "input_tokens": 14,
            "input_token_details": {"text_tokens": 4, "audio_tokens": 10},
            "output_tokens": 45,
            "total_tokens": 59,
        },
    }
    assert extract(by_tokens).tokens == TokenUsage(input_tokens=14, output_tokens=45, input_audio_tokens=10)
    by_seconds = extract({"text": "Hi", "usage": {"type": "duration", "seconds": 27}})
    assert by_seconds.tokens is None
    assert by_seconds.problems == ("usage is of type dict and holds no token count",)


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 900, "completion_tokens": 5, "prompt_tokens_details": {"cache_write_tokens": 800}},
        {"prompt_tokens": 900, "completion_tokens": 5, "cache_write_tokens": 800},
        {"input_tokens": 900, "output_tokens": 5, "input_tokens_details": {"cache_write_tokens": 800}},
    ],
)
def test_cache_writes_are_read_where_a_server_reports_them(usage: dict[str, object]) -> None:
    assert extract({"usage": usage}).tokens == TokenUsage(input_tokens=900, output_tokens=5, cache_write_tokens=800)


def test_details_of_the_input_say_that_the_cache_is_included_whatever_else_is_named() -> None:
    usage = {
        "input_tokens": 900,
        "output_tokens": 5,
        "input_tokens_details": {"cached_tokens": 800},
        "cache_read_input_tokens": 800,
    }
    assert extract({"usage": usage}).tokens == TokenUsage(input_tokens=900, output_tokens=5, cache_read_tokens=800)


def test_a_line_of_a_batch_output_file_is_read() -> None:
    line = {
        "id": "batch_req_wnaDys",
        "custom_id": "request-2",
        "response": {"status_code": 200, "request_id": "req_c187b3", "body": CHAT},
        "error": None,
    }
    found = extract(line)
    assert found.tokens is not None
    assert (found.tokens.input_tokens, found.response_id) == (2006, "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT")


def test_azure_is_known_by_its_content_filter() -> None:
    assert extract({**CHAT, "prompt_filter_results": [{"prompt_index": 0}]}).provider == "azure"


@every_shape
def test_any_object_with_model_and_usage_is_understood(shape) -> None:
    for usage in (
        {"prompt_tokens": 3, "completion_tokens": 4},
        {"input_tokens": 3, "output_tokens": 4},
        {"inputTokens": 3, "outputTokens": 4},
    ):
        found = extract(shape({"model": "house-model", "usage": usage}))
        assert (found.model, found.tokens) == ("house-model", TokenUsage(input_tokens=3, output_tokens=4))
        assert (found.provider, found.is_adjusted, found.problems) == ("", False, ())


def test_a_usage_that_is_our_own_comes_back_unchanged() -> None:
    tokens = TokenUsage(
        input_tokens=10, output_tokens=5, cache_read_tokens=4, cache_write_tokens=2, cache_write_1h_tokens=0
    )
    assert extract({"model": "m", "usage": tokens}).tokens == tokens


@every_shape
def test_langchain_messages_are_read(shape) -> None:
    """LangChain's input_tokens includes the cache, whoever the provider: 21 + 2000 + 500."""
    message = {
        "content": "Hi",
        "id": "run--0195d6b7",
        "response_metadata": {"model_name": "claude-sonnet-4-5-20250929"},
        "usage_metadata": {
            "input_tokens": 2521,
            "output_tokens": 40,
            "total_tokens": 2561,
            "input_token_details": {"cache_read": 2000, "cache_creation": 0, "ephemeral_1h_input_tokens": 500},
            "output_token_details": {"reasoning": 12},
        },
    }
    found = extract(shape(message))
    assert found.model == "claude-sonnet-4-5-20250929"
    assert found.tokens == TokenUsage(
        input_tokens=2521,
        output_tokens=40,
        cache_read_tokens=2000,
        cache_write_1h_tokens=500,
        reasoning_tokens=12,
    )
