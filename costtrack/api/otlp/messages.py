"""How many messages a protobuf body holds, before it is read: an empty one takes two bytes there, and 200 in memory."""

from __future__ import annotations

from costtrack.api.bodies import BodyTooLarge

MAX_MESSAGES = 200_000
"""Spans, events, links, attributes and their values, in one request. 512 spans of 40 attributes have 41,000."""

INSIDE: dict[str, dict[int, str]] = {
    "request": {1: "of_resource"},
    "of_resource": {1: "resource", 2: "of_scope"},
    "resource": {1: "pair"},
    "of_scope": {1: "scope", 2: "span"},
    "scope": {3: "pair"},
    "span": {9: "pair", 11: "event", 13: "link"},
    "event": {3: "pair"},
    "link": {4: "pair"},
    "pair": {2: "value"},
    "value": {5: "list", 6: "pairs"},
    "list": {1: "value"},
    "pairs": {1: "pair"},
}
"""By kind of message its fields that are messages (opentelemetry-proto 1.8, trace.proto and common.proto)."""
VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5


def check_messages(body: bytes) -> None:
    """Raises BodyTooLarge past the most; what is no protobuf is left to its reader."""
    waiting = [("request", 0, len(body))]
    count = 0
    while waiting:
        kind, at, end = waiting.pop()
        inside = INSIDE[kind]
        while at < end:
            tag, at = _varint(body, at, end)
            if tag & 7 == LENGTH:
                length, at = _varint(body, at, end)
                if (of := inside.get(tag >> 3)) is not None:
                    count += 1
                    if count > MAX_MESSAGES:
                        raise BodyTooLarge(f"The body has more than {MAX_MESSAGES:,} messages. Send fewer spans.")
                    waiting.append((of, at, min(at + length, end)))
                at += length
            elif tag & 7 == VARINT:
                _, at = _varint(body, at, end)
            else:
                at += {FIXED64: 8, FIXED32: 4}.get(tag & 7, end)


def _varint(body: bytes, at: int, end: int) -> tuple[int, int]:
    """A number of at most ten bytes, and where it ends; past `end` for one that does not end."""
    value = shift = 0
    while at < end and shift < 70:
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    return 0, end + 1
