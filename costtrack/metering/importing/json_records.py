"""JSONL as records: one JSON object a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import orjson

from costtrack.metering.importing.csv_records import DELIMITERS
from costtrack.metering.importing.errors import UnreadableSource
from costtrack.metering.importing.records import Record
from costtrack.metering.importing.source import MAX_RECORD_BYTES, Source


class JsonRecords:
    """The objects of a JSONL file; blank lines are passed over."""

    columns = None
    header = b""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __iter__(self) -> Iterator[Record]:
        """The objects, bad lines with their problem. UnreadableSource if the file is one JSON array."""
        while (line := self._source.next_line()) is not None:
            raw = line.data.strip()
            if line.is_cut:
                yield Record(line.number, raw, problem=f"longer than {MAX_RECORD_BYTES:,} bytes")
                continue
            if not raw:
                continue
            try:
                row = orjson.loads(raw)
            except orjson.JSONDecodeError as error:
                if line.number == 1 and raw.startswith(b"["):
                    raise self._array() from error
                yield Record(line.number, raw, problem=f"not JSON: {error}")
                continue
            if isinstance(row, dict):
                yield Record(line.number, raw, row)
            elif line.number == 1 and isinstance(row, list):
                raise self._array()
            else:
                yield Record(line.number, raw, problem="no JSON object")

    def _array(self) -> UnreadableSource:
        return UnreadableSource(
            f"{self._source.name} is a JSON array; expected one object a line (`jq -c '.[]' FILE` makes that)."
        )


def check_is_jsonl(sample: Sequence[Record], *, name: str) -> None:
    """UnreadableSource if the first records of the file `name` hold no object; a broken first object is a bad row."""
    if sample and all(record.problem for record in sample) and not sample[0].raw.startswith(b"{"):
        is_csv = any(delimiter.encode() in sample[0].raw for delimiter in DELIMITERS)
        advice = "looks like CSV; use --format csv" if is_csv else "holds no JSON objects"
        raise UnreadableSource(f"{name} {advice}.")
