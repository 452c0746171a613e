"""The bytes of a response that somebody else reads, decoded as they pass."""

from __future__ import annotations

import json

import orjson

from costtrack.metering.call import Call

MAX_BODY_BYTES = 64 * 1024 * 1024
"""Of a longer body that is no event stream nothing is kept, and its usage counts as missing."""

_LAST_EVENTS = frozenset(("message_stop", "response.completed", "response.incomplete", "response.failed"))


class WatchedBody:
    """The bytes of one response, decoded as they pass: server-sent events at once, JSON when all of it has come."""

    def __init__(self, call: Call, *, is_event_stream: bool) -> None:
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
        event = decoded(data)
        if isinstance(event, dict):
            self._call.observed.chunk(event)
            self.is_whole = self.is_whole or event.get("type") in _LAST_EVENTS


def decoded(data: bytes | bytearray | str) -> object:
    """The JSON in `data`; None if there is none."""
    try:
        return orjson.loads(data)
    except ValueError:
        try:
            return json.loads(data)  # which takes NaN
        except (ValueError, RecursionError):
            return None
