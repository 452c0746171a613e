"""Answers of Bedrock's runtime (docs.aws.amazon.com, Bedrock API reference, read 2026-11)."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.integrations.wire.answers import Answer, aws_event_stream, json_answer

REQUEST_ID = "7f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"


def usage(
    input_tokens: int = 1000, output_tokens: int = 100, *, read: int = 0, write: int = 0, write_1h: int = 0
) -> dict[str, Any]:
    """`inputTokens` leaves what was read from the cache or written to it out."""
    told: dict[str, Any] = {
        "inputTokens": input_tokens,
        "outputTokens": output_tokens,
        "totalTokens": input_tokens + output_tokens + read + write + write_1h,
        "cacheReadInputTokens": read,
        "cacheWriteInputTokens": write + write_1h,
    }
    if write_1h:
        told["cacheDetails"] = [{"ttl": "5m", "inputTokens": write}, {"ttl": "1h", "inputTokens": write_1h}]
    return told


def converse(told: dict[str, Any] | None = None, *, request_id: str = REQUEST_ID, **more: Any) -> Answer:
    """The default uses 1000 tokens of input and 100 of output."""
    body = {
        "output": {"message": {"role": "assistant", "content": [{"text": "Hello!"}]}},
        "stopReason": "end_turn",
        "usage": told or usage(),
        "metrics": {"latencyMs": 42},
        **more,
    }
    return json_answer(body, x_amzn_requestid=request_id)


def converse_stream(*texts: str, told: dict[str, Any] | None = None, is_finished: bool = True, **more: Any) -> Answer:
    """The last event has the usage."""
    events: list[tuple[str, dict[str, Any]]] = [("messageStart", {"role": "assistant"})]
    events += [("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}}) for text in texts]
    if is_finished:
        events += [
            ("contentBlockStop", {"contentBlockIndex": 0}),
            ("messageStop", {"stopReason": "end_turn"}),
            ("metadata", {"usage": told or usage(), "metrics": {"latencyMs": 42}}),
        ]
    return aws_event_stream(events, request_id=REQUEST_ID, **more)


def invoked(body: Any, *, input_tokens: int = 1000, output_tokens: int = 100) -> Answer:
    """InvokeModel: a body of the model's maker, and Bedrock's own counts in the headers."""
    return json_answer(
        body,
        x_amzn_requestid=REQUEST_ID,
        x_amzn_bedrock_input_token_count=str(input_tokens),
        x_amzn_bedrock_output_token_count=str(output_tokens),
    )


def invoked_stream(bodies: list[dict[str, Any]], *, metrics: dict[str, Any] | None = None) -> Answer:
    """InvokeModelWithResponseStream: JSON in bytes; Bedrock's own counts in the last."""
    if metrics is not None:
        bodies = [*bodies[:-1], {**bodies[-1], "amazon-bedrock-invocationMetrics": metrics}]
    events = [("chunk", {"bytes": base64.b64encode(json.dumps(body).encode()).decode()}) for body in bodies]
    return aws_event_stream(events, request_id=REQUEST_ID)


def throttled(status: int = 429, kind: str = "ThrottlingException") -> Answer:
    return json_answer({"message": "Too many requests."}, status, x_amzn_requestid=REQUEST_ID, x_amzn_errortype=kind)
