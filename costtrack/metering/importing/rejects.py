"""The rejects file: every row that was not imported, with its line, the reason, and the row itself."""

from __future__ import annotations

import csv
from io import TextIOWrapper
from pathlib import Path

import orjson

from costtrack.metering.importing.errors import UnreadableSource
from costtrack.metering.importing.records import Record


class RejectsFile:
    """Written from its first row on: a file without bad rows makes none. `as_json` writes objects, else CSV."""

    def __init__(self, candidates: list[Path], *, as_json: bool) -> None:
        """The first of the candidates that can be written is taken."""
        self.path: Path | None = None
        self._candidates = candidates
        self._as_json = as_json
        self._stream: TextIOWrapper | None = None

    def add(self, record: Record, reason: str) -> None:
        """Append one row. UnreadableSource if no candidate can be written."""
        stream = self._stream or self._open()
        row = record.raw.decode("utf-8", "backslashreplace")
        if self._as_json:
            stream.write(orjson.dumps({"line": record.line, "reason": reason, "row": row}).decode() + "\n")
        else:
            csv.writer(stream, lineterminator="\n").writerow([record.line, reason, row])

    def close(self) -> None:
        """Write what is buffered."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _open(self) -> TextIOWrapper:
        problem: OSError | None = None
        for path in self._candidates:
            try:
                self._stream = path.open("w", encoding="utf-8", newline="")
            except OSError as error:
                problem = error
                continue
            self.path = path
            if not self._as_json:
                self._stream.write("line,reason,row\n")
            return self._stream
        raise UnreadableSource(f"The rejects file {self._candidates[-1]} cannot be written: {problem}.")


def rejects_candidates(file: str, *, as_json: bool) -> list[Path]:
    """Where the rejects of `file` go by default: beside it, else into the current folder."""
    suffix = ".rejects.jsonl" if as_json else ".rejects.csv"
    if file == "-":
        return [Path("stdin" + suffix)]
    beside = Path(file + suffix)
    return [beside, Path(beside.name)]
