"""Gemini and Vertex AI, as REST bodies and as the SDK's objects."""

from __future__ import annotations

import re
from enum import IntEnum, StrEnum
from types import SimpleNamespace
from typing import Any

import pytest

from costtrack.domain.tokens import TokenUsage
from costtrack.extraction import Extracted, extract
from tests.extraction.shapes import every_shape

BODY = {
    "candidates": [
        {"content": {"parts": [{"text": "Hi"}], "role": "model"}, "finishReason": "STOP", "index": 0},
    ],
    "usageMetadata": {
        "promptTokenCount": 1500,
        "cachedContentTokenCount": 1000,
        "candidatesTokenCount": 40,
        "thoughtsTokenCount": 360,
        "toolUsePromptTokenCount": 70,
        "totalTokenCount": 1970,
        "promptTokensDetails": [
            {"modality": "TEXT", "tokenCount": 1100},
            {"modality": "AUDIO", "tokenCount": 400},
        ],
        "cacheTokensDetails": [
            {"modality": "TEXT", "tokenCount": 700},
            {"modality": "AUDIO", "tokenCount": 300},
        ],
        "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 40}],
    },
    "modelVersion": "gemini-2.5-flash",
    "responseId": "mAitaLmkHPPlz7IPvtfUqQ4",
}
EXPECTED = Extracted(
    # input 1500 + 70 of tools; output 40 + 360 thoughts; fresh audio 400 - 300 that came from the cache
    tokens=TokenUsage(
        input_tokens=1570,
        output_tokens=400,
        cache_read_tokens=1000,
        input_audio_tokens=100,
        reasoning_tokens=360,
    ),
    model="gemini-2.5-flash",
    provider="google",
    response_id="mAitaLmkHPPlz7IPvtfUqQ4",
    finish_reason="STOP",
)


def snake_case(body: Any) -> Any:
    if isinstance(body, dict):
        return {re.sub("([A-Z])", r"_\1", name).lower(): snake_case(value) for name, value in body.items()}
    return [snake_case(value) for value in body] if isinstance(body, list) else body


@every_shape
def test_tokens_of_the_rest_body(shape) -> None:
    assert extract(shape(BODY)) == EXPECTED


@every_shape
def test_the_sdk_says_the_same_in_snake_case(shape) -> None:
    assert "thoughts_token_count" in snake_case(BODY)["usage_metadata"]
    assert extract(shape(snake_case(BODY))) == EXPECTED


def test_modalities_and_reasons_may_be_enums() -> None:
    class Modality(IntEnum):
        TEXT = 1
        AUDIO = 3

    class FinishReason(StrEnum):
        MAX_TOKENS = "MAX_TOKENS"

    response = SimpleNamespace(
        candidates=[SimpleNamespace(finish_reason=FinishReason.MAX_TOKENS)],
        usage_metadata=SimpleNamespace(
            prompt_token_count=10,
            candidates_token_count=30,
            prompt_tokens_details=[SimpleNamespace(modality=Modality.TEXT, token_count=10)],
            candidates_tokens_details=[SimpleNamespace(modality=Modality.AUDIO, token_count=30)],
        ),
    )
    found = extract(response, model="gemini-2.5-flash-preview-tts")
    assert found.tokens == TokenUsage(input_tokens=10, output_tokens=30, output_audio_tokens=30)
    assert found.finish_reason == "MAX_TOKENS"


def test_a_blocked_prompt_has_no_output() -> None:
    body = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 7, "totalTokenCount": 7}}
    found = extract(body)
    assert (found.tokens, found.is_adjusted) == (TokenUsage(input_tokens=7), False)


@pytest.mark.parametrize(
    ("usage", "tier"),
    [
        ({"trafficType": "ON_DEMAND"}, "standard"),
        ({"trafficType": "ON_DEMAND_PRIORITY"}, "priority"),
        ({"trafficType": "ON_DEMAND_FLEX"}, "flex"),
        ({"trafficType": "PROVISIONED_THROUGHPUT"}, "standard"),
        ({"serviceTier": "SERVICE_TIER_FLEX"}, "flex"),
        ({"trafficType": "TRAFFIC_TYPE_UNSPECIFIED"}, ""),
    ],
)
def test_the_traffic_type_is_the_service_tier(usage: dict[str, str], tier: str) -> None:
    assert extract({"usageMetadata": {"promptTokenCount": 1, **usage}}).service_tier == tier


def test_overlapping_audio_is_clamped_when_the_details_do_not_tell() -> None:
    body = {
        "usageMetadata": {
            "promptTokenCount": 100,
            "cachedContentTokenCount": 60,
            "candidatesTokenCount": 1,
            "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 90}],
        }
    }
    found = extract(body)
    assert found.tokens == TokenUsage(input_tokens=100, output_tokens=1, cache_read_tokens=60, input_audio_tokens=40)
    assert found.is_adjusted


def test_the_openai_compatible_endpoint_hides_thoughts_in_the_total() -> None:
    """1100 - 100 - 200 = 800 thoughts, billed as output: 200 + 800 = 1000."""
    body = {
        "model": "gemini-2.5-pro",
        "choices": [{"finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 200, "total_tokens": 1100},
    }
    assert extract(body).tokens == TokenUsage(input_tokens=100, output_tokens=1000, reasoning_tokens=800)
    other = extract({**body, "model": "some-model"})
    assert other.tokens == TokenUsage(input_tokens=100, output_tokens=200)
