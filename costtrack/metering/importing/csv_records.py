"""CSV as records: a header, then rows whose quoted cells may hold line breaks.

A row that cannot be read costs that row only. An opening quote that is never closed would swallow what follows:
then its own line is rejected and reading goes on with the next one.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator

from costtrack.metering.importing.errors import UnreadableSource
from costtrack.metering.importing.records import Record
from costtrack.metering.importing.source import MAX_RECORD_BYTES, Line, Source

DELIMITERS = (",", "\t", ";")
OVERLONG = f"longer than {MAX_RECORD_BYTES:,} bytes"


class _Overlong(Exception):
    """The record at hand exceeds MAX_RECORD_BYTES."""


class _Feed:
    """Hands lines to csv.reader and remembers those of the record at hand."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._waiting: deque[Line] = deque()
        self.taken: list[Line] = []
        self._size = 0

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        line = self._waiting.popleft() if self._waiting else self._source.next_line()
        if line is None:
            raise StopIteration
        self.taken.append(line)
        self._size += len(line.data)
        if line.is_cut or self._size > MAX_RECORD_BYTES:
            raise _Overlong
        return line.data.decode()

    def begin_record(self) -> None:
        """Forget the lines of the record before."""
        self.taken = []
        self._size = 0

    def give_back_all_but_first(self) -> None:
        """Read the further lines of the record at hand again, as records of their own."""
        self._waiting.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]

    @property
    def raw(self) -> bytes:
        """The record at hand as it stands in the file."""
        return b"".join(line.data for line in self.taken).rstrip(b"\r\n")


class CsvRecords:
    """The rows of a CSV file; comma, tab or semicolon is told from the header. UnreadableSource without one."""

    def __init__(self, source: Source) -> None:
        self._feed = _Feed(source)
        first = source.next_line()
        if first is None or not first.data.strip():
            raise UnreadableSource(f"{source.name} has no header line.")
        self.header = first.data.rstrip(b"\r\n")
        if self.header.lstrip().startswith((b"{", b"[")):
            raise UnreadableSource(f"{source.name} looks like JSONL; use --format jsonl.")
        try:
            text = self.header.decode()
            if first.is_cut:
                raise UnreadableSource(f"{source.name}: the header line is {OVERLONG}.")
            self._delimiter = max(DELIMITERS, key=text.count)
            self.columns = [name.strip() for name in next(csv.reader([text], delimiter=self._delimiter, strict=True))]
        except (UnicodeDecodeError, csv.Error) as error:
            raise UnreadableSource(f"{source.name}: the header line is no CSV in UTF-8: {error}.") from error

    def __iter__(self) -> Iterator[Record]:
        """The rows, bad ones with their problem; blank lines are passed over."""
        limit = csv.field_size_limit(MAX_RECORD_BYTES)
        try:
            yield from self._records()
        finally:
            csv.field_size_limit(limit)

    def _records(self) -> Iterator[Record]:
        feed, columns = self._feed, self.columns
        width = len(columns)
        reader = csv.reader(feed, delimiter=self._delimiter, strict=True)
        while True:
            feed.begin_record()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except _Overlong:
                yield self._unreadable(OVERLONG)
            except UnicodeDecodeError as error:
                yield self._unreadable(f"not UTF-8 (byte {error.start + 1})")
            except csv.Error as error:
                yield self._unreadable(f"not CSV: {error}")
            else:
                if len(cells) == width:
                    yield Record(feed.taken[0].number, feed.raw, dict(zip(columns, cells, strict=True)))
                elif cells:
                    cells_shown = "1 cell" if len(cells) == 1 else f"{len(cells)} cells"
                    problem = f"{cells_shown}, but the header names {width} column{'s' if width > 1 else ''}"
                    yield Record(feed.taken[0].number, feed.raw, problem=problem)

    def _unreadable(self, problem: str) -> Record:
        """Reject the first line of the record at hand; go on with its second, if it has one."""
        if len(self._feed.taken) > 1:
            problem = f"a quote is opened and not closed ({problem})"
            self._feed.give_back_all_but_first()
        return Record(self._feed.taken[0].number, self._feed.raw, problem=problem)
