"""Files become records: quoted line breaks, bad lines that cost only themselves, flat memory."""

from __future__ import annotations

import csv
import gzip
import io
import tracemalloc
from collections.abc import Iterator

import pytest

from costtrack.metering.importing.csv_records import CsvRecords
from costtrack.metering.importing.errors import UnreadableSource
from costtrack.metering.importing.json_records import JsonRecords
from costtrack.metering.importing.source import MAX_RECORD_BYTES, Source, open_source


def csv_records(content: bytes | str) -> CsvRecords:
    data = content.encode() if isinstance(content, str) else content
    return CsvRecords(Source(io.BytesIO(data), name="calls.csv"))


def json_records(content: bytes) -> JsonRecords:
    return JsonRecords(Source(io.BytesIO(content), name="calls.jsonl"))


def seen(records: CsvRecords | JsonRecords) -> list[tuple[int, object]]:
    return [(record.line, record.problem or record.row) for record in records]


def test_rows_are_numbered_by_their_first_line_also_after_quoted_line_breaks():
    records = csv_records('\ufeffmodel,note\r\nm1,"two\r\nlines"\r\n\r\nm2,\r\n')
    assert records.columns == ["model", "note"]
    assert seen(records) == [(2, {"model": "m1", "note": "two\r\nlines"}), (5, {"model": "m2", "note": ""})]


def test_the_raw_record_is_what_stands_in_the_file():
    assert [one.raw for one in csv_records('a,b\r\n1,"x\r\ny"\r\n3,4')] == [b'1,"x\r\ny"', b"3,4"]


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_the_delimiter_is_told_from_the_header(delimiter):
    assert seen(csv_records(f"a{delimiter}b\n1{delimiter}2\n")) == [(2, {"a": "1", "b": "2"})]


def test_a_row_of_another_width_is_rejected_alone():
    assert seen(csv_records("a,b\n1\n1,2,3\n4,5\n")) == [
        (2, "1 cell, but the header names 2 columns"),
        (3, "3 cells, but the header names 2 columns"),
        (4, {"a": "4", "b": "5"}),
    ]


def test_a_quote_that_is_never_closed_costs_its_own_line_only():
    rows = "".join(f"{number},x\n" for number in range(1000))
    records = seen(csv_records(f'a,b\n1,"open\n{rows}'))
    assert records[0][0] == 2
    assert "a quote is opened and not closed" in str(records[0][1])
    assert records[1] == (3, {"a": "0", "b": "x"})
    assert records[-1] == (1002, {"a": "999", "b": "x"})
    assert len(records) == 1001


def test_an_unclosed_quote_before_more_than_a_record_may_hold_costs_its_own_line_only():
    rows = "1,{}\n".format("x" * 1000) * 1500
    records = seen(csv_records(f'a,b\n1,"open\n{rows}'))
    assert [line for line, row in records if isinstance(row, str)] == [2]
    assert len(records) == 1501


def test_a_line_above_a_mebibyte_is_rejected_by_its_number_and_not_kept():
    long = "x" * (MAX_RECORD_BYTES + 10)
    records = list(csv_records(f"a,b\n1,2\n{long},2\n3,4\n"))
    assert [one.line for one in records] == [2, 3, 4]
    assert records[1].problem == "longer than 1,048,576 bytes"
    assert len(records[1].raw) == 500
    lines = list(json_records(f'{{"a": 1}}\n{{"b": "{long}"}}\n{{"c": 1}}'.encode()))
    assert [one.problem for one in lines] == ["", "longer than 1,048,576 bytes", ""]


def test_a_cell_above_the_csv_modules_own_limit_is_read_and_that_limit_is_left_as_it_was():
    limit = csv.field_size_limit()
    records = csv_records("a,b\n1,{}\n".format("x" * 500_000))
    assert [len(one.row["b"]) for one in records] == [500_000]
    assert csv.field_size_limit() == limit


def test_bytes_that_are_no_utf_8_are_rejected_alone():
    assert seen(csv_records(b"a,b\n1,\xff\n2,3\n")) == [(2, "not UTF-8 (byte 3)"), (3, {"a": "2", "b": "3"})]


@pytest.mark.parametrize("content", [b"", b"\n", "a,b\n".encode("utf-16"), b"a,\xff\n1,2\n"])
def test_a_file_without_a_readable_header_is_refused(content):
    with pytest.raises(UnreadableSource, match=r"calls\.csv"):
        csv_records(content)


def test_jsonl_lines_are_objects_and_everything_else_is_rejected_alone():
    content = b'\xef\xbb\xbf{"a": 1}\n\n{"a": NaN}\n[1]\n{"a": \xff}\n{"a": 2}'
    records = list(json_records(content))
    assert [(one.line, bool(one.problem)) for one in records] == [
        (1, False),
        (3, True),
        (4, True),
        (5, True),
        (6, False),
    ]
    assert (records[0].row, records[4].row) == ({"a": 1}, {"a": 2})


def test_json_nested_beyond_reason_is_rejected_alone():
    deep = b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b'}\n{"a": 1}\n'
    assert [bool(one.problem) for one in json_records(deep)] == [True, False]


@pytest.mark.parametrize("content", [b'[{"a": 1}]', b'[\n{"a": 1}\n]'])
def test_a_json_array_is_refused_with_a_way_out(content):
    with pytest.raises(UnreadableSource, match="JSON array; expected one object a line"):
        list(json_records(content))


def test_a_gzip_file_reads_like_a_plain_one(tmp_path):
    path = tmp_path / "calls.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1,2\n"))
    with open_source(str(path), stdin=io.BytesIO()) as source:
        assert seen(CsvRecords(source)) == [(2, {"a": "1", "b": "2"})]
        assert source.bytes_read == source.total_bytes == path.stat().st_size


def test_a_gzip_file_that_breaks_off_says_where(tmp_path):
    path = tmp_path / "calls.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 50_000)[:-20])
    with open_source(str(path), stdin=io.BytesIO()) as source, pytest.raises(UnreadableSource, match="after line"):
        list(CsvRecords(source))


def test_a_missing_file_is_refused_by_its_name(tmp_path):
    with pytest.raises(UnreadableSource, match=r"none\.csv cannot be opened: No such file"):
        open_source(str(tmp_path / "none.csv"), stdin=io.BytesIO())


class EndlessCsv(io.RawIOBase):
    """A CSV file of `rows` rows that is made while it is read."""

    def __init__(self, rows: int) -> None:
        self._parts: Iterator[bytes] = (b"a,b\n" if not n else b"%d,%s\n" % (n, b"x" * 200) for n in range(rows + 1))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        part = next(self._parts, b"")
        buffer[: len(part)] = part
        return len(part)


def test_memory_stays_flat_over_a_long_file():
    records = iter(CsvRecords(Source(io.BufferedReader(EndlessCsv(50_000)), name="endless")))
    for _ in range(1000):
        next(records)
    tracemalloc.start()
    try:
        read = sum(1 for _ in records)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert read == 49_000
    assert peak < 500_000  # bytes; the rows themselves are 10 MB
