"""Bodies and streams as providers send them, for the tests of metering."""

from __future__ import annotations

from typing import Any

RESPONSE_ID = "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG"


def chat_completion(
    input_tokens: int = 1000, output_tokens: int = 100, *, response_id: str = RESPONSE_ID, **more: Any
) -> dict[str, Any]:
    """OpenAI's chat completion; by default 1000 x 3 + 100 x 15 = 4500 per million: 0.0045 USD of `test-model`."""
    return {
        "id": response_id,
        "object": "chat.completion",
        "model": "test-model",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello."}}],
        "usage": {
            "prompt_tokens": input_tokens,
            "completion_tokens": output_tokens,
            "total_tokens": input_tokens + output_tokens,
        },
        **more,
    }


def chat_chunks(*, with_usage: bool = True) -> list[dict[str, Any]]:
    """The same answer as a stream: two texts, the end, and OpenAI's last chunk with the usage."""
    head = {"id": RESPONSE_ID, "object": "chat.completion.chunk", "model": "test-model"}
    chunks: list[dict[str, Any]] = [
        {**head, "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}], "usage": None}
        for text in ("Hel", "lo.")
    ]
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": None})
    if with_usage:
        usage = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
        chunks.append({**head, "choices": [], "usage": usage})
    return chunks


class ChatStream:
    """An OpenAI SDK stream: an iterator with attributes and a close, and no generator."""

    def __init__(self, chunks: list[dict[str, Any]], *, breaks_after: int | None = None) -> None:
        self.response = "the http response"
        self.is_closed = False
        self._chunks = iter(chunks)
        self._left = breaks_after

    def __iter__(self) -> ChatStream:
        return self

    def __next__(self) -> dict[str, Any]:
        if self._left is not None:
            if self._left == 0:
                raise ConnectionError("the stream broke")
            self._left -= 1
        return next(self._chunks)

    def __enter__(self) -> ChatStream:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self.is_closed = True


class AsyncChatStream:
    """The same of the async client."""

    def __init__(self, chunks: list[dict[str, Any]]) -> None:
        self.response = "the http response"
        self.is_closed = False
        self._chunks = iter(chunks)

    def __aiter__(self) -> AsyncChatStream:
        return self

    async def __anext__(self) -> dict[str, Any]:
        try:
            return next(self._chunks)
        except StopIteration:
            raise StopAsyncIteration from None

    async def close(self) -> None:
        self.is_closed = True
