"""Answers for the server to give, in each encoding that providers use."""

from __future__ import annotations

import binascii
import json
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Answer:
    """One HTTP response."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    chunks: tuple[bytes, ...] = ()
    is_stream: bool = False
    """The chunks are sent one by one; else together, with a length."""
    is_cut: bool = False
    """The connection is closed after the last chunk, without the end that HTTP asks for."""
    after_seconds: float = 0
    """How long it takes to begin."""
    between_seconds: float = 0
    """How long it takes from one chunk to the next."""


def json_answer(body: object, status: int = 200, *, after_seconds: float = 0, **headers: str) -> Answer:
    """A JSON body; `_` in the names of headers stands for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    chunks = (json.dumps(body).encode(),)
    return Answer(status, {"content-type": "application/json", **named}, chunks, after_seconds=after_seconds)


def text_answer(text: str, status: int = 200, *, content_type: str = "text/plain") -> Answer:
    """A body that is no JSON: lines of a batch's results, a page."""
    return Answer(status, {"content-type": content_type}, (text.encode(),))


def json_lines(bodies: Iterable[object]) -> Answer:
    """Results of a batch, a line each."""
    return text_answer("".join(json.dumps(body) + "\n" for body in bodies), content_type="application/x-ndjson")


def event_stream(
    events: Iterable[Mapping[str, Any]],
    *,
    is_named: bool = False,
    is_done_told: bool = True,
    is_cut: bool = False,
    between_seconds: float = 0,
) -> Answer:
    """Server-sent events: OpenAI's, with `[DONE]` at the end; `is_named` as Anthropic's and OpenAI's responses are."""
    chunks = []
    for event in events:
        name = f"event: {event['type']}\n" if is_named else ""
        chunks.append(f"{name}data: {json.dumps(event)}\n\n".encode())
    if is_done_told and not is_named:
        chunks.append(b"data: [DONE]\n\n")
    return Answer(
        200,
        {"content-type": "text/event-stream"},
        tuple(chunks),
        is_stream=True,
        is_cut=is_cut,
        between_seconds=between_seconds,
    )


def aws_event_stream(
    events: Iterable[tuple[str, Mapping[str, Any]]], *, request_id: str, is_cut: bool = False
) -> Answer:
    """AWS's binary event stream: (type of the event, its payload) each; a type that ends in Exception is an error."""
    headers = {"content-type": "application/vnd.amazon.eventstream", "x-amzn-requestid": request_id}
    chunks = tuple(_aws_message(kind, payload) for kind, payload in events)
    return Answer(200, headers, chunks, is_stream=True, is_cut=is_cut)


def _aws_message(kind: str, payload: Mapping[str, Any]) -> bytes:
    """Both lengths and their CRC, headers, payload, CRC of all (docs.aws.amazon.com, event stream encoding)."""
    is_error = kind.endswith("Exception")
    names = {
        ":exception-type" if is_error else ":event-type": kind,
        ":content-type": "application/json",
        ":message-type": "exception" if is_error else "event",
    }
    headers = b"".join(
        struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", 7, len(value)) + value.encode()
        for name, value in names.items()
    )
    body = json.dumps(payload).encode()
    prelude = struct.pack("!II", 16 + len(headers) + len(body), len(headers))
    prelude += struct.pack("!I", binascii.crc32(prelude))
    message = prelude + headers + body
    return message + struct.pack("!I", binascii.crc32(message))
