"""Streams in the shapes that providers send them: text in pieces, the usage at the end."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from costtrack.management.demo.responses import as_object, chat_usage, response_id

PIECES = 4


def openai_stream(chance: Random, *, model: str, prompt: int, completion: int, cached: int = 0) -> Iterator[Any]:
    """OpenAI's chunks, as objects; the last one, without choices, carries the usage (`include_usage`)."""
    head = {"id": response_id(chance, "chatcmpl-", 29), "object": "chat.completion.chunk", "model": model}
    for number in range(PIECES):
        reason = "stop" if number == PIECES - 1 else None
        yield as_object({**head, "choices": [{"index": 0, "delta": {"content": "..."}, "finish_reason": reason}]})
    yield as_object({**head, "choices": [], "usage": chat_usage(prompt=prompt, completion=completion, cached=cached)})


def anthropic_stream(chance: Random, *, model: str, usage: dict[str, Any]) -> Iterator[Any]:
    """Anthropic's events, as objects: input and cache in the first, output in the last but one."""
    message = {"id": response_id(chance, "msg_01", 22), "type": "message", "role": "assistant", "model": model}
    yield as_object({"type": "message_start", "message": {**message, "usage": {**usage, "output_tokens": 1}}})
    for _ in range(PIECES):
        yield as_object({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "..."}})
    yield as_object(
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": usage["output_tokens"]},
        }
    )
    yield as_object({"type": "message_stop"})
