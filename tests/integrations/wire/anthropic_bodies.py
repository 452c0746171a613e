"""Bodies and stream events as Anthropic sends them (platform.claude.com, API reference, read 2026-11)."""

from __future__ import annotations

from typing import Any

MESSAGE_ID = "msg_01XFDUDYJgAACzvnptvVoYEL"


def usage(
    input_tokens: int = 1000, output_tokens: int = 100, *, read: int = 0, write_5m: int = 0, write_1h: int = 0
) -> dict[str, Any]:
    """`input_tokens` leaves what was read from the cache or written to it out."""
    return {
        "input_tokens": input_tokens,
        "cache_creation_input_tokens": write_5m + write_1h,
        "cache_read_input_tokens": read,
        "cache_creation": {"ephemeral_5m_input_tokens": write_5m, "ephemeral_1h_input_tokens": write_1h},
        "output_tokens": output_tokens,
        "service_tier": "standard",
        "server_tool_use": None,
    }


def message(
    told: dict[str, Any] | None = None,
    *,
    message_id: str = MESSAGE_ID,
    content: list[dict[str, Any]] | None = None,
    stop_reason: str | None = "end_turn",
) -> dict[str, Any]:
    """The default uses 1000 tokens of input and 100 of output."""
    return {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": "claude-test-20261001",
        "content": [{"type": "text", "text": "Hello!"}] if content is None else content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": told or usage(),
    }


def tool_use(name: str, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"type": "tool_use", "id": "toolu_01A09q90qw90lq917835lq9", "name": name, "input": arguments}]


def events(*texts: str, told: dict[str, Any] | None = None, is_finished: bool = True) -> list[dict[str, Any]]:
    """A streamed message: the input comes in the first event, the output in the last but one."""
    told = told or usage()
    begun = message({**told, "output_tokens": 1}, content=[], stop_reason=None)
    found: list[dict[str, Any]] = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
    ]
    found += [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}} for text in texts
    ]
    if is_finished:
        found += [
            {"type": "content_block_stop", "index": 0},
            {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                "usage": {"output_tokens": told["output_tokens"]},
            },
            {"type": "message_stop"},
        ]
    return found


def error(kind: str = "rate_limit_error", message: str = "Slow down.") -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_011CSHoEeqs5C35K2UUqR7Fy"}
