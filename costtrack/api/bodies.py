"""Bodies of requests: JSON of a bounded size, read by ourselves, because no body may be a server error."""

from __future__ import annotations

from collections.abc import Collection

import orjson
from django.http import HttpRequest
from rest_framework.exceptions import APIException, ParseError, UnsupportedMediaType
from rest_framework.request import Request

from costtrack.conf import settings

JSON = "application/json"
MAX_LEVELS = 16
"""How deep a body may be nested: a list of events of which each has metadata of 8 levels, and some to spare."""


class BodyTooLarge(APIException):
    """413."""

    status_code = 413


def media_type_of(request: Request) -> str:
    """What the body is said to be, without parameters: application/json."""
    return str(request.content_type or "").partition(";")[0].strip().lower()


def read_json(request: Request, *, media_types: Collection[str] = (JSON,)) -> object:
    """The body as JSON data; numbers with a fraction, and those past 64 bits, are floats.

    Refuses with 415 what is no such media type or is compressed, with 413 what is longer than
    COSTTRACK["INGEST_MAX_BYTES"], unread where it says its length, and with 400 what is no JSON in UTF-8, is nested
    deeper than 16 levels, or has numbers that are not finite.
    """
    media_type = media_type_of(request)
    if media_type not in media_types:
        raise UnsupportedMediaType(
            media_type, f"Content-Type: got {media_type[:100]!r}, expected {' or '.join(media_types)}."
        )
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise UnsupportedMediaType(encoding, f"Content-Encoding: got {encoding[:100]!r}, expected none.")
    body = read_bytes(request._request, most=settings.ingest_max_bytes)
    try:
        data: object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ParseError(f"The body is no JSON: {error}.") from None
    if _is_deeper_than(MAX_LEVELS, data):
        raise ParseError(f"The body is nested deeper than {MAX_LEVELS} levels.")
    return data


def has_body(request: Request) -> bool:
    """Whether anything is sent along."""
    is_chunked = bool(request.META.get("HTTP_TRANSFER_ENCODING"))
    return is_chunked or request.META.get("CONTENT_LENGTH") not in (None, "", "0")


def _is_deeper_than(levels: int, data: object) -> bool:
    # Level by level: a function that calls itself could be made to fail.
    level = [data] if isinstance(data, (dict, list)) else []
    for _ in range(levels):
        members = (one.values() if isinstance(one, dict) else one for one in level)
        level = [one for each in members for one in each if isinstance(one, (dict, list))]
        if not level:
            return False
    return True


def read_bytes(request: HttpRequest, *, most: int) -> bytes:
    """The body as it is. Refuses with 413 what is longer than `most`, unread where it says its length."""
    too_large = BodyTooLarge(f"The body is longer than {most:,} bytes. Send fewer events at once.")
    length = request.META.get("CONTENT_LENGTH") or ""
    if length.isascii() and length.isdigit() and (len(length) > 18 or int(length) > most):
        raise too_large
    try:
        body = request.read(most + 1)
    except OSError:  # Django's UnreadablePostError: the client is gone
        raise ParseError("The body ended before it was complete.") from None
    if len(body) > most:
        raise too_large
    return body
