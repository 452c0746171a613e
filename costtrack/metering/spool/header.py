"""A segment's first line: the format, whose database its events are for, and how far they have been booked.

It has a fixed length, so that it can be written again in place by one `pwrite`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID
from zlib import crc32

from django.conf import settings as django_settings

HEADER_BYTES = 128
FORMAT_VERSION = 2
"""Of the lines (see `encoding`). A header that is written again says this one, also in a segment of version 1."""
READ_VERSIONS = (1, 2)
_UNKNOWN = "-" * 36
_FORM = re.compile(rb"costtrack-spool (\d+) ([-0-9a-f]{36}) ([0-9a-f]{16}) (\d{15}) ([0-9a-f]{8}) *\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentHeader:
    """Whose events these are, and where the first one begins that may not be in the ledger yet."""

    address: str
    """`address_of` the database: 16 hex digits. Tells installations apart until the UUID is known."""
    installation: UUID | None = None
    """The UUID that the database itself holds; None until the flusher has spoken to it."""
    offset: int = HEADER_BYTES

    def encoded(self) -> bytes:
        """The line, of HEADER_BYTES bytes; with a checksum, because a damaged offset would hide events for ever."""
        text = f"costtrack-spool {FORMAT_VERSION} {self.installation or _UNKNOWN} {self.address} {self.offset:015d}"
        return f"{text} {crc32(text.encode()):08x}".ljust(HEADER_BYTES - 1).encode() + b"\n"

    def belongs_to(self, installation: UUID, address: str) -> bool:
        """Whether these events are for that database."""
        return self.address == address if self.installation is None else self.installation == installation


def read_header(line: bytes) -> SegmentHeader | None:
    """The header of a segment's first bytes; None if it is none, or of a format that this version does not know."""
    found = _FORM.fullmatch(line)
    if found is None or int(found[1]) not in READ_VERSIONS or int(found[5], 16) != crc32(line[: found.end(4)]):
        return None
    installation = None if found[2].decode() == _UNKNOWN else UUID(found[2].decode())
    return SegmentHeader(address=found[3].decode(), installation=installation, offset=int(found[4]))


def address_of(alias: str) -> str:
    """16 hex digits that stand for where the database of this alias is: its engine, host, port and name."""
    database = django_settings.DATABASES[alias]
    name = database.get("NAME", "")
    if str(database.get("ENGINE", "")).endswith("sqlite3") and not str(name).startswith("file:"):
        name = Path(str(name)).absolute()
    options = database.get("OPTIONS", {})
    parts = [database.get("ENGINE", ""), database.get("HOST", ""), database.get("PORT", ""), name]
    parts += [options[key] for key in ("service", "options") if key in options]  # of libpq: where, and which schema
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:16]
