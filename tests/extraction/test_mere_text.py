"""Chunks of mere text: told from the others at a glance, and never needed for what a stream's provider told."""

from __future__ import annotations

from typing import Any

import pytest
from anthropic.types import RawContentBlockDeltaEvent, RawMessageDeltaEvent
from openai.types.chat import ChatCompletionChunk

from costtrack.extraction import ArrivedText, StreamUsage
from tests.extraction.shapes import every_shape
from tests.extraction.test_streamed_text import STREAMS, anthropic, chat

HEAD = {"id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT", "model": "gpt-4o-2024-08-06", "usage": None}


def chunk(text: str, **more: Any) -> dict[str, Any]:
    return {**HEAD, "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}], **more}


STOP = {**HEAD, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
TOLD: dict[str, list[Any]] = {
    "openai": [chunk("Hi"), chunk("you"), STOP, {**HEAD, "choices": [], "usage": USAGE}],
    "usage in every chunk": [chunk("Hi", usage=USAGE), chunk("you", usage={**USAGE, "completion_tokens": 3})],
    "groq": [chunk("Hi", x_groq={"id": "req_01j"}), chunk("you", x_groq={"usage": USAGE})],
    "azure": [{"id": "", "model": "", "choices": [], "prompt_filter_results": []}, chunk("Hi"), STOP],
    "anthropic": [
        {"type": "message_start", "message": {"id": "msg_1", "model": "claude", "usage": {"input_tokens": 25}}},
        {"type": "message_start", "message": {"usage": {"input_tokens": 25, "output_tokens": 1}}},
        *anthropic({"type": "text_delta", "text": "Hi"}),
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}},
        {"type": "message_stop"},
    ],
    "no id": chat({"content": "Hello"}, {"content": " you"}),
}


def added(chunks: list[Any], *, skips_text: bool) -> tuple[StreamUsage, list[Any]]:
    stream, skipped = StreamUsage(), []
    for one in chunks:
        if skips_text and stream.is_mere_text(one):
            skipped.append(one)
        else:
            stream.add(one)
    return stream, skipped


@every_shape
@pytest.mark.parametrize("chunks", [*TOLD.values(), *(chunks for chunks, _ in STREAMS.values())])
def test_the_result_does_not_need_chunks_of_mere_text_and_their_text_may_be_counted_later(
    chunks: list[Any], shape: Any
) -> None:
    chunks = shape(chunks)
    whole, _ = added(chunks, skips_text=False)
    fast, skipped = added(chunks, skips_text=True)
    assert fast.result() == whole.result()
    for one in skipped:
        fast.add(one)
    assert (fast.result(), fast.arrived) == (whole.result(), whole.arrived)


def test_bedrocks_last_event_has_its_metrics_and_is_no_mere_text() -> None:
    metrics = {"inputTokenCount": 17, "outputTokenCount": 25}
    assert not StreamUsage().is_mere_text({"type": "message_stop", "amazon-bedrock-invocationMetrics": metrics})
    assert StreamUsage().is_mere_text({"type": "message_stop"})


def test_of_the_sdks_objects_those_with_text_are_mere_text() -> None:
    chunks = [ChatCompletionChunk.construct(**one) for one in TOLD["openai"]]
    assert [StreamUsage().is_mere_text(one) for one in chunks] == [True, True, False, False]
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}
    assert StreamUsage().is_mere_text(RawContentBlockDeltaEvent.construct(**delta))
    stop = {"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}}
    assert not StreamUsage().is_mere_text(RawMessageDeltaEvent.construct(type="message_delta", **stop))


def test_what_stops_tells_usage_or_is_not_known_is_no_mere_text() -> None:
    stream = StreamUsage()
    assert stream.is_mere_text(chunk("Hi"))
    for one in (
        STOP,
        chunk("Hi", usage=USAGE),
        chunk("Hi", x_groq={"usage": USAGE}),
        {**HEAD, "choices": []},
        {**HEAD, "choices": [{"delta": {}}, {"delta": {}}]},
        {"type": "message_delta", "usage": {"output_tokens": 7}},
        {"type": 3},
        "Hello",
        None,
        7,
    ):
        assert not stream.is_mere_text(one)
    assert not StreamUsage().is_mere_text({**chunk("Hi"), "id": ""})


def test_a_first_chunk_of_mere_text_tells_model_and_id() -> None:
    stream = StreamUsage()
    assert stream.is_mere_text(chunk("Hi"))
    found = stream.result()
    assert (found.model, found.response_id) == ("gpt-4o-2024-08-06", "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT")
    assert stream.arrived == ArrivedText(is_any=True)
