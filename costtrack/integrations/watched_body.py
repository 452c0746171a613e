"""The bytes of a response that somebody else reads, decoded as they pass."""

from __future__ import annotations

import json
from base64 import b64decode
from contextlib import suppress
from importlib import import_module
from typing import Any, Protocol

import orjson

from costtrack.extraction.fields import read_text

MAX_BODY_BYTES = 64 * 1024 * 1024
"""Of a longer body that is no event stream nothing is kept, and its usage counts as missing."""

_LAST_EVENTS = frozenset(("message_stop", "response.completed", "response.incomplete", "response.failed"))


class ObserverOfEvents(Protocol):
    """Is told what a stream is made of."""

    def begin_stream(self) -> object:
        """A stream begins."""

    def chunk(self, chunk: object) -> None:
        """A piece of it has come."""


class Observer(Protocol):
    """Is told what a response holds, as a metered call is."""

    @property
    def observed(self) -> ObserverOfEvents:
        """Who is told of streams."""

    def observe(self, response: object) -> object:
        """All of it has come."""


class WatchedBody:
    """The bytes of one response, decoded as they pass: server-sent events at once, JSON when all of it has come."""

    def __init__(self, call: Observer, *, is_event_stream: bool) -> None:
        """Tells `call` what it sees."""
        self._call = call
        self._is_event_stream = is_event_stream
        self._rest = b""
        self._parts: list[bytes] = []
        self._size = 0
        self.is_whole = False
        """The provider's last event has come, after which nobody need read on."""
        if is_event_stream:
            call.observed.begin_stream()

    def add(self, data: bytes) -> None:
        """More of it has come."""
        if self._is_event_stream:
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                self._line(line.strip())
        elif self._size <= MAX_BODY_BYTES:
            self._size += len(data)
            self._parts.append(data)

    def end(self) -> None:
        """All of it has come."""
        if self._is_event_stream:
            self._line(self._rest.strip())
        elif self._size <= MAX_BODY_BYTES:
            self._call.observe(decoded(b"".join(self._parts)))

    def _line(self, line: bytes) -> None:
        if not line.startswith(b"data:"):
            return
        data = line[5:].strip()
        if data.startswith(b"[DONE]"):
            self.is_whole = True
            return
        self._event(decoded(data))

    def _event(self, event: object) -> None:
        if isinstance(event, dict):
            self._call.observed.chunk(event)
            self.is_whole = self.is_whole or event.get("type") in _LAST_EVENTS


class AwsEventBody(WatchedBody):
    """The same of the event stream that Bedrock gives to Anthropic's client: each of its frames holds one event."""

    def __init__(self, call: Observer) -> None:
        """Raises ImportError without botocore, which that client needs."""
        super().__init__(call, is_event_stream=True)
        self._frames: Any = import_module("botocore.eventstream").EventStreamBuffer()

    def add(self, data: bytes) -> None:
        """More of it has come."""
        if self._frames is None:
            return
        try:
            self._frames.add_data(data)
            for frame in self._frames:
                self._event(decoded(b64decode(read_text(decoded(frame.payload), "bytes"))))
        except Exception:  # the boundary: a body that is no such stream must not break who reads it
            self._frames = None

    def end(self) -> None:
        """All of it has come; each event was told as it passed."""


def watched_body(call: Observer, content_type: str) -> WatchedBody:
    """What looks at a body of that type."""
    if content_type.startswith("application/vnd.amazon.eventstream"):
        with suppress(ImportError):  # botocore, which whoever reads such a stream has
            return AwsEventBody(call)
    return WatchedBody(call, is_event_stream=content_type.startswith("text/event-stream"))


def decoded(data: bytes | bytearray | str) -> object:
    """The JSON in `data`; None if there is none."""
    try:
        return orjson.loads(data)
    except ValueError:
        try:
            return json.loads(data)  # which takes NaN
        except (ValueError, RecursionError):
            return None
