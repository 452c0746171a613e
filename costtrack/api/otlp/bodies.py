"""The bodies of OTLP/HTTP: JSON or protobuf, as they are or gzipped, of a bounded size."""

from __future__ import annotations

import zlib

from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.request import Request

from costtrack.api.bodies import JSON, BodyTooLarge, media_type_of, read_bytes
from costtrack.conf import settings

PROTOBUF = "application/x-protobuf"
GZIP = 16 + zlib.MAX_WBITS
"""How zlib is told to read it."""


def read_body(request: Request) -> bytes:
    """The body, unpacked.

    Refuses with 415 another media type or compression, with 413 what is longer than COSTTRACK["INGEST_MAX_BYTES"],
    packed or unpacked, and with 400 what is no gzip.
    """
    media_type = media_type_of(request)
    if media_type not in (JSON, PROTOBUF):
        raise UnsupportedMediaType(
            media_type, f"Content-Type: got {media_type[:100]!r}, expected {PROTOBUF} or {JSON}, as OTLP/HTTP has it."
        )
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise UnsupportedMediaType(encoding, f"Content-Encoding: got {encoding[:100]!r}, expected gzip, or none.")
    most = settings.ingest_max_bytes
    body = read_bytes(request._request, most=most)
    return _unpacked(body, most=most) if encoding == "gzip" else body


def _unpacked(body: bytes, *, most: int) -> bytes:
    reader = zlib.decompressobj(GZIP)
    try:
        unpacked = reader.decompress(body, most + 1)
    except zlib.error as error:
        raise ParseError(f"The body is no gzip: {error}.") from None
    if len(unpacked) > most:
        raise BodyTooLarge(f"The body unpacks to more than {most:,} bytes. Send fewer spans at once.")
    if not reader.eof or reader.unused_data:
        raise ParseError("The body is no gzip: it ends too early, or something follows it.")
    return unpacked
