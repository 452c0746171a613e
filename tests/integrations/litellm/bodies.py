"""What a server that speaks OpenAI's wire format answers: 1000 tokens in, 400 of them cached, and 100 out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.integrations.wire.answers import Answer, event_stream, json_answer

RESPONSE_ID = "chatcmpl-AbCdEfGhIjKlMnOpQrStUvWx"
USAGE = {
    "prompt_tokens": 1000,
    "completion_tokens": 100,
    "total_tokens": 1100,
    "prompt_tokens_details": {"cached_tokens": 400},
}


def chat(model: str = "test-model", *, response_id: str = RESPONSE_ID, usage: Any = USAGE, **more: Any) -> Answer:
    """A whole chat completion."""
    message = {"role": "assistant", "content": "Hello"}
    body = {"id": response_id, "object": "chat.completion", "created": 1, "model": model}
    choices = [{"index": 0, "finish_reason": "stop", "message": message}]
    return json_answer({**body, "choices": choices, "usage": usage, **more})


def chat_stream(model: str = "test-model", *, usage: Any = USAGE, is_cut: bool = False, **how: Any) -> Answer:
    """The same as a stream of "Hello, you!" in two pieces; without `usage` as providers stream by default."""
    return event_stream(_chunks(model, usage, is_cut), is_done_told=not is_cut, is_cut=is_cut, **how)


def failure(status: int = 400) -> Answer:
    """What OpenAI says of a request that it does not take."""
    return json_answer({"error": {"message": "that is no request", "type": "invalid_request_error"}}, status)


def _chunks(model: str, usage: Any, is_cut: bool) -> Iterator[dict[str, Any]]:
    body = {"id": RESPONSE_ID, "object": "chat.completion.chunk", "created": 1, "model": model}
    for text in ("Hello, ", "you!"):
        yield {**body, "choices": [{"index": 0, "delta": {"role": "assistant", "content": text}}]}
    if is_cut:
        return
    yield {**body, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    if usage is not None:
        yield {**body, "choices": [], "usage": usage}
