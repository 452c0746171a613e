"""OpenAI's objects are read at one look where they hold nothing unusual; the figures are those of the closer look."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types import CompletionUsage

from costtrack.domain.tokens import TokenUsage
from costtrack.extraction.counts import UsageReader
from costtrack.extraction.fields import read_all
from costtrack.extraction.openai_usage import read_chat

TOTALS = {"prompt_tokens": 1200, "completion_tokens": 80, "total_tokens": 1280}


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (TOTALS, TokenUsage(input_tokens=1200, output_tokens=80)),
        (
            {
                **TOTALS,
                "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
                "completion_tokens_details": {
                    "reasoning_tokens": 64,
                    "audio_tokens": 0,
                    "accepted_prediction_tokens": 5,
                    "rejected_prediction_tokens": 3,
                },
            },
            TokenUsage(input_tokens=1200, output_tokens=80, cache_read_tokens=1024, reasoning_tokens=64),
        ),
        (
            {**TOTALS, "completion_tokens_details": {"reasoning_tokens": 80}},
            TokenUsage(input_tokens=1200, output_tokens=80, reasoning_tokens=80),
        ),
        (  # xAI leaves reasoning out of the output
            {**TOTALS, "total_tokens": 1300, "completion_tokens_details": {"reasoning_tokens": 20}},
            TokenUsage(input_tokens=1200, output_tokens=100, reasoning_tokens=20),
        ),
        (
            {**TOTALS, "prompt_tokens_details": {"audio_tokens": 200, "cached_tokens": 100}},
            TokenUsage(input_tokens=1200, output_tokens=80, cache_read_tokens=100, input_audio_tokens=200),
        ),
        (
            {**TOTALS, "completion_tokens_details": {"audio_tokens": 30, "reasoning_tokens": 10}},
            TokenUsage(input_tokens=1200, output_tokens=80, reasoning_tokens=10, output_audio_tokens=30),
        ),
        (
            {**TOTALS, "prompt_tokens_details": {"cache_write_tokens": 300}},
            TokenUsage(input_tokens=1200, output_tokens=80, cache_write_tokens=300),
        ),
        (
            {**TOTALS, "prompt_cache_hit_tokens": 700},
            TokenUsage(input_tokens=1200, output_tokens=80, cache_read_tokens=700),
        ),
        (  # clamped, and noted
            {**TOTALS, "prompt_tokens_details": {"cached_tokens": 5000}},
            TokenUsage(input_tokens=1200, output_tokens=80, cache_read_tokens=1200),
        ),
        (
            {**TOTALS, "completion_tokens_details": {"reasoning_tokens": 81}},
            TokenUsage(input_tokens=1200, output_tokens=80, reasoning_tokens=80),
        ),
        ({**TOTALS, "completion_tokens": -1}, None),
        ({**TOTALS, "completion_tokens": True}, None),
    ],
)
def test_objects_and_dicts_are_read_alike(usage: dict[str, Any], expected: TokenUsage | None) -> None:
    from_object, from_dict = UsageReader(), UsageReader()

    assert read_chat(CompletionUsage.construct(**usage), from_object) == expected
    assert read_chat(usage, from_dict) == expected
    assert from_object.problems == from_dict.problems
    assert from_object.is_adjusted == from_dict.is_adjusted


def test_all_fields_of_dicts_models_and_plain_objects_are_read_alike() -> None:
    class Plain:
        prompt_tokens = 1200
        completion_tokens = None

    names = frozenset(("prompt_tokens", "completion_tokens", "its_own"))
    model = CompletionUsage.construct(prompt_tokens=1200, completion_tokens=None, its_own=3)

    assert read_all(model, names) == {"prompt_tokens": 1200, "its_own": 3}
    assert read_all({"prompt_tokens": 1200, "its_own": 3, "other": 1}, names) == {"prompt_tokens": 1200, "its_own": 3}
    assert read_all(Plain(), names) == {"prompt_tokens": 1200}
    assert read_all(None, names) == {}
