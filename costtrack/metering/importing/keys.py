"""Idempotency keys of rows that bring none: what a row says and where it stands, under the name of its source."""

from __future__ import annotations

from hashlib import sha256

from costtrack.metering.importing.records import Record

MAX_SOURCE_LENGTH = 100


def source_name(header: bytes, first: Record | None) -> str:
    """The name of a file's source when none is given: a hash of its header and first record, so it may be renamed."""
    return sha256(header + b"\n" + (first.raw if first else b"")).hexdigest()[:16]


def row_key(source: str, record: Record) -> str:
    """The key of a row: the same row on the same line of the same source is charged once, a twin below it again."""
    digest = sha256(b"%d\n" % record.line + record.raw).hexdigest()[:32]
    return f"import:{source}:{digest}"


def is_row_key(source: str, key: str) -> bool:
    """Whether `row_key` made the key, so that no other row of the same file has it."""
    return key.startswith(f"import:{source}:")
