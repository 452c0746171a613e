"""The characters that came with a stream, for when its provider never says how many tokens that was."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from costtrack.extraction import ArrivedText, StreamUsage
from tests.extraction.shapes import every_shape


def arrived(chunks: list[Any]) -> tuple[int, int]:
    stream = StreamUsage()
    for chunk in chunks:
        stream.add(chunk)
    text = stream.arrived
    assert text.is_any
    return text.characters, text.reasoning_characters


def chat(*deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"id": "x", "choices": [{"index": 0, "delta": delta}], "usage": None} for delta in deltas]


def anthropic(*deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas]


def gemini(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"candidates": [{"content": {"parts": [part]}}], "modelVersion": "gemini-2.5-flash"} for part in parts]


def converse(*deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"contentBlockDelta": {"delta": delta, "contentBlockIndex": 0}} for delta in deltas]


def call(name: str | None, arguments: Any) -> dict[str, Any]:
    return {"index": 0, "id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}


STREAMS: dict[str, tuple[list[Any], tuple[int, int]]] = {
    # "Hello" + " you" = 9
    "chat": (chat({"role": "assistant", "content": ""}, {"content": "Hello"}, {"content": " you"}), (9, 0)),
    # 9 of thought; sent under two names, it is one
    "reasoning": (chat({"reasoning_content": "I think..", "reasoning": "I think.."}, {"content": "Yes"}), (12, 9)),
    # "search" 6, '{"q":' 5, '"x"}' 4
    "tool calls": (
        chat({"tool_calls": [call("search", '{"q":')]}, {"tool_calls": [call(None, '"x"}')]}),
        (15, 0),
    ),
    "refusal": (chat({"refusal": "No."}), (3, 0)),
    "spoken": (chat({"audio": {"id": "a", "data": "UklGRg" * 99, "transcript": "Hi you"}}), (6, 0)),
    "two choices": ([{"choices": [{"delta": {"content": "ab"}}, {"delta": {"content": "cd"}}]}], (4, 0)),
    "completions": ([{"choices": [{"index": 0, "text": "Hello"}], "usage": None}], (5, 0)),
    "responses": (
        [
            {"type": "response.output_text.delta", "delta": "Hello"},
            {"type": "response.reasoning_summary_text.delta", "delta": "so"},
            {"type": "response.function_call_arguments.delta", "delta": '{"a":1}'},
            {"type": "response.output_audio.delta", "delta": "UklGRg" * 99},
            {"type": "conversation.item.input_audio_transcription.delta", "delta": "what the user said"},
            {"type": "response.output_text.done", "text": "Hello"},
        ],
        (14, 2),
    ),
    "anthropic": (
        [
            {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "name": "search"}},
            *anthropic(
                {"type": "thinking_delta", "thinking": "Hm.."},
                {"type": "signature_delta", "signature": "EqQBCgIYAhIM" * 9},
                {"type": "text_delta", "text": "Hello"},
                {"type": "input_json_delta", "partial_json": '{"q"'},
            ),
            {"type": "text", "text": "Hello", "snapshot": "Hello"},
            {"type": "content_block_stop", "content_block": {"type": "text", "text": "Hello"}},
        ],
        (19, 4),
    ),
    "gemini": (
        gemini(
            {"text": "let me see", "thought": True},
            {"text": "Hello"},
            {"inlineData": {"mimeType": "image/png", "data": "iVBORw" * 99}},
        ),
        (15, 10),
    ),
    "converse": (
        converse({"text": "Hello"}, {"reasoningContent": {"text": "Hm"}}, {"toolUse": {"input": '{"q"'}}),
        (11, 2),
    ),
    "ollama chat": (
        [
            {"model": "m", "message": {"role": "assistant", "content": "", "thinking": "Hm"}, "done": False},
            {"model": "m", "message": {"role": "assistant", "content": "Hello"}, "done": False},
        ],
        (7, 2),
    ),
    "ollama generate": ([{"model": "m", "response": "Hello", "done": False}], (5, 0)),
    "mistral": (
        chat({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}]})
        + chat({"content": [{"type": "text", "text": "Hello"}]}),
        (7, 2),
    ),
    "mistral's sdk": ([{"data": chunk} for chunk in chat({"content": "Hello"})], (5, 0)),
    "cohere": (
        [
            {"type": "content-delta", "delta": {"message": {"content": {"text": "Hello"}}}},
            {"type": "content-delta", "delta": {"message": {"content": {"thinking": "Hm"}}}},
            {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": "I will"}}},
            {"type": "tool-call-delta", "delta": {"message": {"tool_calls": {"function": {"arguments": '{"q"'}}}}},
        ],
        (17, 2),
    ),
    "cohere's first": (
        [
            {"event_type": "text-generation", "text": "Hello"},
            {"event_type": "stream-end", "text": "Hello", "response": {"text": "Hello"}},
        ],
        (5, 0),
    ),
    "titan": ([{"outputText": "Hello", "index": 0}], (5, 0)),
    "llama": ([{"generation": "Hello", "stop_reason": None}], (5, 0)),
    "mistral on bedrock": ([{"outputs": [{"text": "Hello", "stop_reason": None}]}], (5, 0)),
    "langchain": ([{"type": "AIMessageChunk", "content": "Hello", "text": "Hello"}], (5, 0)),
}


@every_shape
@pytest.mark.parametrize("name", STREAMS)
def test_the_text_of_every_format_is_counted_once(name: str, shape: Any) -> None:
    chunks, counts = STREAMS[name]
    assert arrived(shape(chunks)) == counts


def test_arguments_that_come_parsed_are_counted_with_their_names() -> None:
    """find 4 + city 4 + Rome 4 + days 4"""
    arguments = {"city": "Rome", "days": 3}
    message = {"role": "assistant", "tool_calls": [{"function": {"name": "find", "arguments": arguments}}]}
    assert arrived([{"model": "m", "message": message, "done": False}]) == (16, 0)
    assert arrived(gemini({"functionCall": {"name": "find", "args": arguments}})) == (16, 0)


def test_json_in_bytes_is_counted_as_what_it_holds() -> None:
    events = anthropic({"type": "text_delta", "text": "Hello"})
    assert arrived([{"chunk": {"bytes": json.dumps(event).encode()}} for event in events]) == (5, 0)


def test_plain_pieces_of_text_are_counted_and_raw_event_streams_are_not() -> None:
    assert arrived(["Hello", " you", '{"na', 'me": 1}']) == (20, 0)
    assert arrived(['data: {"choices": []}\n\n', "event: ping", ": keep-alive", '{"done": false}', b"raw"]) == (0, 0)


def test_what_a_model_wrote_never_passes_for_its_providers_word() -> None:
    forged = '{"id": "x", "model": "free", "usage": {"prompt_tokens": 1, "completion_tokens": 0}}'
    stream = StreamUsage()
    for text in (forged, f"data: {forged}\n\n"):
        stream.add(text)
    for delta in ({"content": forged}, {"tool_calls": [call("f", forged)]}):
        stream.add(chat(delta)[0])
    assert stream.result().tokens is None


def test_the_text_itself_is_not_kept() -> None:
    """The last chunk with usage is kept for its figures; a chunk without is not."""
    stream = StreamUsage()
    for chunk in (*chat({"content": "a secret"}), *anthropic({"text": "a secret"}), *converse({"text": "a secret"})):
        stream.add(chunk)
    kept = [getattr(stream, name) for name in vars(stream)]
    assert "a secret" not in repr([vars(one) if hasattr(one, "__dict__") else one for one in kept])
    assert stream.arrived.characters == 24


def test_usage_that_only_the_first_event_told_is_no_final_word() -> None:
    stream = StreamUsage()
    assert stream.arrived == ArrivedText()
    stream.add({"type": "message_start", "message": {"usage": {"input_tokens": 25, "output_tokens": 1}}})
    assert stream.arrived == ArrivedText(is_any=True)
    stream.add({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}})
    assert stream.arrived.has_usage


def test_mistrals_sdk_wraps_the_chunk_that_holds_the_usage() -> None:
    last = {
        "id": "x",
        "model": "mistral-large-latest",
        "choices": [],
        "usage": {"prompt_tokens": 9, "completion_tokens": 2},
    }
    stream = StreamUsage()
    stream.add(SimpleNamespace(data=SimpleNamespace(**last)))
    tokens = stream.result().tokens
    assert tokens is not None
    assert (tokens.input_tokens, tokens.output_tokens) == (9, 2)
