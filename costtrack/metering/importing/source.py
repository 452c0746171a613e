"""A file, a gzip file or standard input as physical lines of bounded size."""

from __future__ import annotations

import gzip
import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from costtrack.metering.importing.errors import UnreadableSource

MAX_RECORD_BYTES = 1 << 20
"""A longer line, or a CSV record of more bytes over several lines, is rejected without reading it into memory."""

KEPT_OF_LONG_LINE = 500
BOM = b"\xef\xbb\xbf"
UTF_16_BOMS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(slots=True)
class Line:
    """One physical line with its line end; of a line above MAX_RECORD_BYTES only the beginning, `is_cut`."""

    number: int
    data: bytes
    is_cut: bool = False


class Source:
    """The lines of one file. Close it after use, or use it as a context manager."""

    def __init__(self, stream: BinaryIO, *, name: str, raw: BinaryIO | None = None, total_bytes: int | None = None):
        self.name = name
        self.total_bytes = total_bytes
        self._raw = raw
        self._stream = stream
        self._number = 0

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; standard input stays open."""
        if self._raw is not None:
            self._stream.close()
            self._raw.close()

    @property
    def bytes_read(self) -> int:
        """How far the file has been read (of a gzip file: its compressed bytes), for a progress display."""
        return self._raw.tell() if self._raw is not None and not self._raw.closed else 0

    def next_line(self) -> Line | None:
        """The next line, None at the end. UnreadableSource if the file breaks off or is UTF-16."""
        try:
            data = self._stream.readline(MAX_RECORD_BYTES + 1)
            self._number += 1
            is_cut = len(data) > MAX_RECORD_BYTES
            if is_cut:
                self._skip_rest(data)
        except (OSError, EOFError, zlib.error) as error:
            raise UnreadableSource(f"{self.name} cannot be read after line {self._number}: {error}") from error
        if not data:
            return None
        if self._number == 1:
            if data.startswith(UTF_16_BOMS):
                raise UnreadableSource(f"{self.name} is UTF-16; save it as UTF-8 and import that.")
            data = data.removeprefix(BOM)
        return Line(self._number, data[:KEPT_OF_LONG_LINE], True) if is_cut else Line(self._number, data)

    def _skip_rest(self, data: bytes) -> None:
        while data and not data.endswith(b"\n"):
            data = self._stream.readline(MAX_RECORD_BYTES)


def open_source(path: str, *, stdin: BinaryIO) -> Source:
    """The source at `path`; `-` is `stdin`; a name that ends in .gz is unpacked while reading."""
    if path == "-":
        return Source(stdin, name="standard input")
    try:
        raw = io.BufferedReader(io.FileIO(path))
        total_bytes = Path(path).stat().st_size
    except OSError as error:
        raise UnreadableSource(f"{path} cannot be opened: {error.strerror or error}.") from error
    if path.endswith(".gz"):
        unpacked = io.BufferedReader(cast("io.RawIOBase", gzip.GzipFile(fileobj=raw, mode="rb")))
        return Source(unpacked, name=path, raw=raw, total_bytes=total_bytes)
    return Source(raw, name=path, raw=raw, total_bytes=total_bytes)
