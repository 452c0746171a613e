"""OpenAI's objects are read at one look where they hold nothing unusual; the figures are those of the closer look."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletionChunk

from costtrack.domain.tokens import TokenUsage
from costtrack.extraction.counts import UsageReader
from costtrack.extraction.fields import read_all
from costtrack.extraction.openai_usage import read_chat
from costtrack.extraction.stream import StreamUsage

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


ENDING = {"index": 0, "delta": {}, "finish_reason": "stop"}
HEAD = {
    "id": "chatcmpl-1234567890abcdef",
    "created": 1,
    "model": "gpt-4o-2024-08-06",
    "object": "chat.completion.chunk",
}


def chunk(**choice: Any) -> ChatCompletionChunk:
    return ChatCompletionChunk.model_validate({**HEAD, "choices": [{**ENDING, **choice}]})


@pytest.mark.parametrize(
    ("last", "reason", "characters"),
    [
        (chunk(), "stop", 4),
        (chunk(finish_reason="length"), "length", 4),
        (chunk(delta={"content": ""}), "stop", 4),
        (chunk(delta={"content": "!"}), "stop", 5),  # some servers send the last text with the reason
        (chunk(delta={"reasoning_content": "so"}), "stop", 6),
        (chunk(finish_reason=None, delta={"content": "ok"}), "", 6),
    ],
)
def test_what_a_chat_ends_with_is_read_with_its_text(last: ChatCompletionChunk, reason: str, characters: int) -> None:
    stream = StreamUsage(provider="openai")
    stream.add(chunk(finish_reason=None, delta={"role": "assistant", "content": "text"}))
    stream.add(last)
    assert (stream.result().finish_reason, stream.arrived.characters) == (reason, characters)
    as_dicts = StreamUsage(provider="openai")
    for one in (chunk(finish_reason=None, delta={"content": "text"}), last):
        as_dicts.add(one.model_dump())
    assert as_dicts.result() == stream.result()


def test_an_ending_that_has_counts_too_is_read_with_them() -> None:
    stream = StreamUsage(provider="openai")
    stream.add(chunk(finish_reason=None, delta={"content": "text"}))
    stream.add(ChatCompletionChunk.model_validate({**HEAD, "choices": [ENDING], "usage": TOTALS}))
    found = stream.result()
    assert (found.finish_reason, found.tokens) == ("stop", TokenUsage(input_tokens=1200, output_tokens=80))
