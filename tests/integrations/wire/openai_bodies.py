"""Bodies and stream events as OpenAI sends them (platform.openai.com, API reference, read 2026-11)."""

from __future__ import annotations

from typing import Any

CHAT_ID = "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG"
RESPONSE_ID = "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b"


def chat_usage(
    input_tokens: int = 1000, output_tokens: int = 100, *, cached_tokens: int = 0, reasoning_tokens: int = 0
) -> dict[str, Any]:
    return {
        "prompt_tokens": input_tokens,
        "completion_tokens": output_tokens,
        "total_tokens": input_tokens + output_tokens,
        "prompt_tokens_details": {"cached_tokens": cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def chat_completion(
    usage: dict[str, Any] | None = None,
    *,
    response_id: str = CHAT_ID,
    model: str = "gpt-test-2026-08-07",
    content: str = "Hello!",
    finish_reason: str = "stop",
    service_tier: str = "default",
) -> dict[str, Any]:
    """The default uses 1000 tokens of input and 100 of output."""
    message = {"role": "assistant", "content": content, "refusal": None, "annotations": []}
    return {
        "id": response_id,
        "object": "chat.completion",
        "created": 1741569952,
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason}],
        "usage": usage or chat_usage(),
        "service_tier": service_tier,
        "system_fingerprint": "fp_abc123",
    }


def chat_chunks(
    *texts: str,
    usage: dict[str, Any] | None = None,
    response_id: str = CHAT_ID,
    model: str = "gpt-test-2026-08-07",
    is_finished: bool = True,
) -> list[dict[str, Any]]:
    """A chunk for each text, one that ends, and the one with the usage where that is given."""
    head = {
        "id": response_id,
        "object": "chat.completion.chunk",
        "created": 1741569952,
        "model": model,
        "service_tier": "default",
        "system_fingerprint": "fp_abc123",
    }
    chunks: list[dict[str, Any]] = [{**head, "choices": [_delta({"role": "assistant", "content": ""})], "usage": None}]
    chunks += [{**head, "choices": [_delta({"content": text})], "usage": None} for text in texts]
    if is_finished:
        chunks.append({**head, "choices": [{**_delta({}), "finish_reason": "stop"}], "usage": None})
    if usage is not None:
        chunks.append({**head, "choices": [], "usage": usage})
    return chunks


def _delta(delta: dict[str, Any]) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}


def responses_usage(
    input_tokens: int = 1000, output_tokens: int = 100, *, cached_tokens: int = 0, reasoning_tokens: int = 0
) -> dict[str, Any]:
    return {
        "input_tokens": input_tokens,
        "input_tokens_details": {"cached_tokens": cached_tokens},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": reasoning_tokens},
        "total_tokens": input_tokens + output_tokens,
    }


def response(
    usage: dict[str, Any] | None = None,
    *,
    response_id: str = RESPONSE_ID,
    model: str = "gpt-test-2026-08-07",
    status: str = "completed",
    service_tier: str = "default",
) -> dict[str, Any]:
    """An answer of the Responses API."""
    text = {"type": "output_text", "text": "Hello!", "annotations": [], "logprobs": []}
    return {
        "id": response_id,
        "object": "response",
        "created_at": 1741476542,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "model": model,
        "output": [
            {
                "type": "message",
                "id": "msg_67ccd2bf17f0819081ff3bb2cf6508e60bb6a6b452d3795b",
                "status": "completed",
                "role": "assistant",
                "content": [text],
            }
        ],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "service_tier": service_tier,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": usage or responses_usage(),
        "metadata": {},
    }


def response_events(*texts: str, usage: dict[str, Any] | None = None, is_finished: bool = True) -> list[dict[str, Any]]:
    """The events of a streamed response."""
    begun = {**response(status="in_progress"), "output": [], "usage": None}
    item = {"id": "msg_1", "type": "message", "status": "in_progress", "content": [], "role": "assistant"}
    part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **place, "part": part},
    ]
    events += [{"type": "response.output_text.delta", **place, "delta": text, "logprobs": []} for text in texts]
    if is_finished:
        text = "".join(texts)
        done = {**part, "text": text}
        events += [
            {"type": "response.output_text.done", **place, "text": text, "logprobs": []},
            {"type": "response.content_part.done", **place, "part": done},
            {
                "type": "response.output_item.done",
                "output_index": 0,
                "item": {**item, "status": "completed", "content": [done]},
            },
            {"type": "response.completed", "response": response(usage)},
        ]
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def embeddings(tokens: int = 1000) -> dict[str, Any]:
    """Embeddings have no id and no output."""
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.0023, -0.0093]}],
        "model": "embed-test",
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def error(message: str = "Rate limit reached.", *, kind: str = "requests", code: str = "rate_limit_exceeded") -> Any:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}
