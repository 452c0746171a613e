"""A file read as the other format is told by its first records."""

from __future__ import annotations

import io

import pytest

from costtrack.metering.importing.csv_records import CsvRecords
from costtrack.metering.importing.errors import UnreadableSource
from costtrack.metering.importing.json_records import JsonRecords, check_is_jsonl
from costtrack.metering.importing.source import Source


def check(content: bytes) -> None:
    check_is_jsonl(list(JsonRecords(Source(io.BytesIO(content), name="calls"))), name="calls")


@pytest.mark.parametrize("delimiter", [b",", b"\t", b";"])
def test_a_csv_file_is_no_jsonl_file(delimiter):
    with pytest.raises(UnreadableSource, match=r"^calls looks like CSV; use --format csv\.$"):
        check(b"a,b\n1,2\n".replace(b",", delimiter))


def test_a_text_file_is_no_jsonl_file():
    with pytest.raises(UnreadableSource, match=r"^calls holds no JSON objects\.$"):
        check(b"Dear all\n12\n")


@pytest.mark.parametrize("content", [b"", b'{"a": 1,\n', b'a,b\n{"a": 1}\n'])
def test_broken_lines_alone_do_not_make_a_file_one_of_another_format(content):
    check(content)


@pytest.mark.parametrize("content", [b'{"a": 1, "b": 2}\n', b'{"a": "x"}', b'[{"a": 1}]', b"[\n"])
def test_a_jsonl_file_is_no_csv_file(content):
    with pytest.raises(UnreadableSource, match=r"^calls looks like JSONL; use --format jsonl\.$"):
        CsvRecords(Source(io.BytesIO(content), name="calls"))
