"""Anthropic's Messages API, whose input_tokens leaves the cache out."""

from __future__ import annotations

from typing import Any

import pytest

from costtrack.domain.tokens import TokenUsage
from costtrack.extraction import Extracted, extract
from tests.extraction.shapes import every_shape


def message(**usage: Any) -> dict[str, Any]:
    return {
        "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": [{"type": "text", "text": "Hi"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": usage,
    }


@every_shape
def test_cached_tokens_are_added_into_the_input_and_stay_parts_of_it(shape) -> None:
    """An agent's turn: 21 fresh, 188,086 from the cache, 456 written: 21 + 188086 + 456 = 188563 input tokens.

    Who takes 21 for the whole prompt and bills the rest at the full rate besides, or takes cached for fresh, is
    wrong many times over: of 188,563 tokens 99.7 % cost a tenth.
    """
    body = message(
        input_tokens=21,
        cache_creation_input_tokens=456,
        cache_read_input_tokens=188_086,
        cache_creation={"ephemeral_5m_input_tokens": 456, "ephemeral_1h_input_tokens": 0},
        output_tokens=393,
        service_tier="standard",
    )
    assert extract(shape(body)) == Extracted(
        tokens=TokenUsage(input_tokens=188_563, output_tokens=393, cache_read_tokens=188_086, cache_write_tokens=456),
        model="claude-sonnet-4-5-20250929",
        provider="anthropic",
        response_id="msg_01XFDUDYJgAACzvnptvVoYEL",
        service_tier="standard",
        finish_reason="end_turn",
    )


@every_shape
def test_one_hour_writes_are_apart_from_five_minute_ones(shape) -> None:
    body = message(
        input_tokens=2048,
        cache_read_input_tokens=1800,
        cache_creation_input_tokens=248,
        cache_creation={"ephemeral_5m_input_tokens": 148, "ephemeral_1h_input_tokens": 100},
        output_tokens=503,
    )
    assert extract(shape(body)).tokens == TokenUsage(
        input_tokens=4096,
        output_tokens=503,
        cache_read_tokens=1800,
        cache_write_tokens=148,
        cache_write_1h_tokens=100,
    )


def test_without_a_cache_the_input_is_the_input() -> None:
    assert extract(message(input_tokens=12, output_tokens=6)).tokens == TokenUsage(input_tokens=12, output_tokens=6)
    nulls = message(input_tokens=12, output_tokens=6, cache_read_input_tokens=None, cache_creation_input_tokens=None)
    assert extract(nulls).tokens == TokenUsage(input_tokens=12, output_tokens=6)


def test_a_fully_cached_prompt_may_have_no_fresh_token() -> None:
    tokens = extract(message(input_tokens=0, cache_read_input_tokens=5000, output_tokens=1)).tokens
    assert tokens == TokenUsage(input_tokens=5000, output_tokens=1, cache_read_tokens=5000)


def test_the_split_alone_tells_the_cache_writes() -> None:
    split = {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20}
    assert extract(message(input_tokens=1, cache_creation=split, output_tokens=2)).tokens == TokenUsage(
        input_tokens=31, output_tokens=2, cache_write_tokens=10, cache_write_1h_tokens=20
    )


def test_a_split_above_its_total_is_clamped() -> None:
    split = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 20}
    found = extract(message(input_tokens=1, cache_creation_input_tokens=15, cache_creation=split, output_tokens=2))
    assert found.tokens == TokenUsage(input_tokens=16, output_tokens=2, cache_write_1h_tokens=15)
    assert found.is_adjusted


@pytest.mark.parametrize(
    ("usage", "tier"),
    [
        ({"service_tier": "standard"}, "standard"),
        ({"service_tier": "priority"}, "priority"),
        ({"service_tier": "batch"}, "batch"),
        ({"service_tier": "standard", "speed": "fast"}, "fast"),
        ({"service_tier": "standard", "speed": "standard"}, "standard"),
        ({}, ""),
    ],
)
def test_the_service_tier_stands_in_the_usage(usage: dict[str, str], tier: str) -> None:
    assert extract(message(input_tokens=1, output_tokens=1, **usage)).service_tier == tier


def test_thinking_is_a_part_of_the_output() -> None:
    body = message(input_tokens=9, output_tokens=700, output_tokens_details={"thinking_tokens": 650})
    assert extract(body).tokens == TokenUsage(input_tokens=9, output_tokens=700, reasoning_tokens=650)


def test_a_compaction_within_the_call_is_billed_and_counted() -> None:
    """Input 180000 + 23000 = 203000, output 3500 + 1000 = 4500; the message iteration is in the top level."""
    body = message(
        input_tokens=23_000,
        output_tokens=1000,
        iterations=[
            {"type": "compaction", "input_tokens": 180_000, "output_tokens": 3500},
            {"type": "message", "input_tokens": 23_000, "output_tokens": 1000},
        ],
    )
    assert extract(body).tokens == TokenUsage(input_tokens=203_000, output_tokens=4500)


def test_an_advisor_of_another_model_is_noted_because_it_has_another_rate() -> None:
    body = message(
        input_tokens=412,
        output_tokens=531,
        iterations=[
            {"type": "message", "input_tokens": 412, "output_tokens": 531},
            {"type": "advisor_message", "model": "claude-opus-4-6", "input_tokens": 823, "output_tokens": 1612},
        ],
    )
    found = extract(body)
    assert found.tokens == TokenUsage(input_tokens=412, output_tokens=531)
    assert found.is_adjusted
    assert found.problems == ("tokens of the advisor claude-opus-4-6 are not counted",)


@pytest.mark.parametrize(
    ("response_id", "model", "provider"),
    [
        ("msg_01XFDUDYJgAACzvnptvVoYEL", "claude-sonnet-4-5-20250929", "anthropic"),
        ("msg_bdrk_01TW6wbPiQ3e5dwnDWoiVQrX", "claude-sonnet-4-5-20250929", "aws"),
        ("msg_vrtx_01TW6wbPiQ3e5dwnDWoiVQrX", "claude-sonnet-4-5-20250929", "google"),
        ("msg_abc123", "qwen3:8b", ""),
    ],
)
def test_the_host_of_a_message_is_told_by_its_id_and_its_model(response_id: str, model: str, provider: str) -> None:
    body = {**message(input_tokens=1, cache_read_input_tokens=0, output_tokens=1), "id": response_id, "model": model}
    assert extract(body).provider == provider


def test_a_result_of_a_message_batch_is_read() -> None:
    line = {"custom_id": "a", "result": {"type": "succeeded", "message": message(input_tokens=11, output_tokens=36)}}
    found = extract(line)
    assert found.tokens == TokenUsage(input_tokens=11, output_tokens=36)
    assert (found.provider, found.model) == ("anthropic", "claude-sonnet-4-5-20250929")
