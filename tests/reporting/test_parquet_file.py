from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from costtrack.reporting.parquet_file import GROUP_ROWS, ParquetMissing, write_parquet
from tests.reporting.table_rows import COLUMNS, EMPTY, row


def written(*chunks: Sequence[dict[str, Any]]) -> pyarrow.parquet.ParquetFile:
    file = io.BytesIO()
    write_parquet(COLUMNS, chunks, file)
    return pyarrow.parquet.ParquetFile(file)


def test_each_kind_has_its_type() -> None:
    assert {field.name: str(field.type) for field in written().schema_arrow} == {
        "text": "string",
        "integer": "int64",
        "decimal": "decimal128(38, 12)",
        "boolean": "bool",
        "instant": "timestamp[us, tz=UTC]",
        "day": "date32[day]",
        "data": "string",
    }


def test_values_come_back_exactly_and_what_is_not_known_as_null() -> None:
    refund = row(text="=1", integer=-(2**63), decimal=Decimal("-12345678901234567890.000000000001"), boolean=False)
    told = written([row(), EMPTY], [refund]).read().to_pylist()
    common = {
        "instant": datetime(2026, 11, 20, 12, 0, 0, 250, tzinfo=UTC),
        "day": date(2026, 11, 20),
        "data": '{"tags":["a","b"]}',
    }
    assert told == [
        {"text": "chat", "integer": 1000, "decimal": Decimal("0.0045"), "boolean": True, **common},
        dict.fromkeys(EMPTY),
        {
            "text": "=1",
            "integer": -9223372036854775808,
            "decimal": Decimal("-12345678901234567890.000000000001"),
            "boolean": False,
            **common,
        },
    ]


def test_no_rows_are_a_file_without_rows() -> None:
    assert written().read().to_pylist() == written([]).read().to_pylist() == []


def test_chunks_are_gathered_into_groups_of_a_bounded_size() -> None:
    half = [EMPTY] * (GROUP_ROWS // 2)
    metadata = written(half, half, half, [EMPTY]).metadata
    assert [metadata.row_group(place).num_rows for place in range(metadata.num_row_groups)] == [20_000, 10_001]


def test_a_decimal_that_would_be_rounded_is_an_error() -> None:
    with pytest.raises(pyarrow.ArrowInvalid):
        written([row(decimal=Decimal("0.0000000000001"))])


def test_without_pyarrow_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ParquetMissing, match=r'pip install "costtrack\[parquet\]"'):
        write_parquet(COLUMNS, [], io.BytesIO())


def test_it_is_not_imported_before_it_is_needed() -> None:
    told = (
        "import django, sys\n"
        "django.setup()\n"
        "import costtrack.api.urls\n"
        "print('pyarrow' in sys.modules, 'costtrack.reporting.parquet_file' in sys.modules)\n"
    )
    result = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout.strip()) == (0, "False True"), result.stderr
