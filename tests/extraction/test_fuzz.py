"""Whatever JSON comes: no exception, and a TokenUsage that satisfies its own checks, or None."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from costtrack.domain.tokens import TokenUsage
from costtrack.extraction import Extracted, StreamUsage, extract, extract_stream, text_length, trusted_id
from tests.extraction.shapes import as_namespace

FIELDS = """
id type model usage usageMetadata usage_metadata meta response message metadata delta body result choices
candidates results x_groq ResponseMetadata HTTPHeaders RequestId chunk bytes cost is_byok cost_details
total_cost currency upstream_inference_cost cost_in_usd_ticks service_tier speed serviceTier trafficType
finish_reason prompt_tokens completion_tokens total_tokens input_tokens output_tokens cached_tokens
audio_tokens reasoning_tokens prompt_tokens_details completion_tokens_details input_tokens_details
output_tokens_details cached_tokens_details cache_read_input_tokens cache_creation_input_tokens cache_creation
iterations ephemeral_5m_input_tokens ephemeral_1h_input_tokens inputTokens outputTokens cacheReadInputTokens
cacheWriteInputTokens cacheDetails ttl inputTokenCount outputTokenCount promptTokenCount candidatesTokenCount
cachedContentTokenCount thoughtsTokenCount toolUsePromptTokenCount promptTokensDetails cacheTokensDetails
modality tokenCount billed_units tokens prompt_eval_count eval_count prompt_token_count generation_token_count
inputTextTokenCount prompt_cache_hit_tokens cache_write_tokens x-amzn-bedrock-input-token-count amazon-
bedrock-invocationMetrics _hidden_params custom_llm_provider
"""
NAMES = st.sampled_from(FIELDS.split())
TEXT_FIELDS = """
type event_type choices delta message content text thinking reasoning_content reasoning refusal tool_calls
tool_call_chunks function name arguments args function_call audio transcript content_block partial_json candidates parts
thought functionCall executableCode code contentBlockDelta reasoningContent toolUse input response generation outputText
outputs tool_call_delta parameters data done usage role tool_plan chunk bytes output description
"""
TEXT_NAMES = st.sampled_from(TEXT_FIELDS.split())
KINDS = """
content_block_delta content_block_start content-delta tool-call-delta response.output_text.delta audio.delta
response.reasoning_text.delta AIMessageChunk text-generation tool-calls-chunk message_start message_delta
"""
TEXTS = st.sampled_from(KINDS.split()) | st.text(max_size=8) | st.binary(max_size=4)
WORDS = st.sampled_from(
    [
        "message",
        "message_start",
        "message_delta",
        "compaction",
        "advisor_message",
        "AUDIO",
        "1h",
        "gemini",
        "fast",
        "12",
    ]
)
COUNTS = st.integers(0, 50) | st.sampled_from([0, -5, 12.0, 12.5, "12", "NaN", 10**12, 10**400, True, float("nan")])
LEAVES = st.none() | COUNTS | WORDS | st.floats()
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=8), max_leaves=20
)
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
BODIES = st.dictionaries(NAMES, JSON, max_size=8)


def assert_valid(found: Extracted) -> None:
    assert isinstance(found.tokens, TokenUsage | None)
    if found.reported_cost_usd is not None:
        assert found.reported_cost_usd >= 0
        assert found.reported_cost_usd == found.reported_cost_usd.quantize(Decimal("1e-12"))
    if found.is_adjusted:
        assert found.problems
    texts = (found.model, found.provider, found.response_id, found.service_tier, found.finish_reason, *found.problems)
    assert all(isinstance(text, str) for text in texts)
    trusted_id(found.provider, found.response_id)


@UNHURRIED
@given(BODIES)
def test_any_body_gives_a_valid_usage_or_none_and_the_same_as_an_object(body: dict[str, Any]) -> None:
    found = extract(body)
    assert_valid(found)
    as_object = extract(as_namespace(body))
    # The texts of problems quote what was seen, which an object writes in another way.
    assert replace(as_object, problems=()) == replace(found, problems=())
    assert len(as_object.problems) == len(found.problems)


@UNHURRIED
@given(st.dictionaries(NAMES, COUNTS | st.dictionaries(NAMES, COUNTS, max_size=6), max_size=10))
def test_any_usage_gives_a_valid_usage_or_none(usage: dict[str, Any]) -> None:
    assert_valid(extract({"model": "gemini", "usage": usage}))
    assert_valid(extract({"usageMetadata": usage}))


@UNHURRIED
@given(st.lists(JSON, max_size=6))
def test_any_chunks_give_a_valid_usage_or_none(chunks: list[Any]) -> None:
    assert_valid(extract_stream(chunks))


TEXT_JSON = st.recursive(
    st.none() | COUNTS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT_NAMES, inner, max_size=6),
    max_leaves=20,
)


def characters_in(value: Any) -> int:
    """Of all texts and names in it."""
    if isinstance(value, dict):
        return sum(len(name) + characters_in(member) for name, member in value.items())
    if isinstance(value, list):
        return sum(characters_in(member) for member in value)
    return len(value) if isinstance(value, (str, bytes)) else 0


@UNHURRIED
@given(st.lists(st.dictionaries(TEXT_NAMES, TEXT_JSON, max_size=6) | TEXT_JSON, max_size=4))
def test_of_any_chunks_no_more_text_is_counted_than_there_is(chunks: list[Any]) -> None:
    for shaped in (chunks, as_namespace(chunks)):
        stream = StreamUsage()
        for chunk in shaped:
            stream.add(chunk)
        arrived = stream.arrived
        assert 0 <= arrived.reasoning_characters <= arrived.characters <= characters_in(chunks)
        assert arrived.is_any == bool(chunks)
        assert_valid(stream.result())


@UNHURRIED
@given(TEXT_JSON)
def test_of_any_request_no_more_text_is_counted_than_there_is(request: Any) -> None:
    assert 0 <= text_length(request) <= characters_in(request)
    assert 0 <= text_length(as_namespace(request)) <= characters_in(request)
