"""One record of a file, whatever its format, and what a translator makes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(slots=True)
class Record:
    """A row of the file; with a `problem` its `row` is empty."""

    line: int
    """The number of its first physical line, from 1."""
    raw: bytes
    """As it stands in the file, without the line end (of an overlong one the beginning)."""
    row: dict[str, Any] = field(default_factory=dict)
    problem: str = ""


class Records(Protocol):
    """The records of a file, in order."""

    @property
    def columns(self) -> Sequence[str] | None:
        """The columns that the header names; None where every record names its own."""

    @property
    def header(self) -> bytes:
        """The header as it stands in the file; empty where there is none."""

    def __iter__(self) -> Iterator[Record]:
        """One by one, never all at once."""


@dataclass(slots=True)
class Draft:
    """The fields of an event, made from a record; or a `problem` that keeps it from becoming one."""

    record: Record
    fields: dict[str, Any] = field(default_factory=dict)
    problem: str = ""


class Translator(Protocol):
    """Turns records into drafts of events."""

    skipped: Counter[str]
    """Records that are no usage, by what they are instead."""

    def check(self, columns: Sequence[str] | None, sample: Sequence[Record]) -> None:
        """Raise UnusableMapping if the file's columns (or the first records) cannot be what is expected."""

    def drafts(self, records: Iterable[Record]) -> Iterator[Draft]:
        """A draft for every record that is, or should be, usage; in any order."""
