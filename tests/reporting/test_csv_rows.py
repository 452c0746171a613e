from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costtrack.domain.periods import ZoneHistory
from costtrack.reporting.columns import Kind
from costtrack.reporting.csv_rows import csv_cell, csv_header, csv_rows, guarded
from tests.reporting.table_rows import COLUMNS, EMPTY, row

KOLKATA = ZoneHistory.of("Asia/Kolkata")


def lines(*rows: dict[str, Any]) -> str:
    return csv_rows(COLUMNS, rows, zone=KOLKATA).decode()


def test_the_first_line_names_the_columns() -> None:
    assert csv_header(COLUMNS) == b"text,integer,decimal,boolean,instant,day,data\r\n"


def test_each_kind_is_plain_text_and_instants_have_their_offset() -> None:
    expected = 'chat,1000,0.0045,true,2026-11-20T17:30:00.000250+05:30,2026-11-20,"{""tags"":[""a"",""b""]}"\r\n'
    assert lines(row()) == expected


def test_what_is_not_known_is_empty_and_what_is_false_or_0_is_not() -> None:
    nothing = row(text="", integer=0, decimal=Decimal(0), boolean=False, data=[])
    assert lines(EMPTY, nothing) == ",,,,,,\r\n,0,0,false,2026-11-20T17:30:00.000250+05:30,2026-11-20,[]\r\n"


def test_no_rows_are_no_bytes() -> None:
    assert lines() == ""


def test_in_39_numbers_stay_numbers_also_below_0() -> None:
    refund = row(integer=-1000, decimal=Decimal("-0.004500000000"))
    assert lines(refund).startswith("chat,-1000,-0.0045,true,")


FORMULAS = [
    "=1+1",
    '=HYPERLINK("http://evil.example","x")',
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\tname",
    "\r=1",
    "\n=1",
    "\nname",
    " =1",
    "  \u00a0-1",
    "\u200b=1",
    "\ufeff=1",
    "\x1f@x",
    "\uff1d1",
    "\uff0b1",
    "\uff0d1",
    "\uff20x",
    "\ufe661",
    " \uff1d1",
]
HARMLESS = ["name", "a=b", "1-2", "", " name", "'quoted", '"quoted"', "a,b", "é", "日本", "(none)", "_x", "a\tb"]


@pytest.mark.parametrize("text", FORMULAS)
def test_in_39_a_text_that_could_be_a_formula_is_guarded(text: str) -> None:
    assert guarded(text) == f"'{text}"
    (cells,) = csv.reader(io.StringIO(lines(row(text=text)), newline=""))
    assert cells[0] == f"'{text}"


@pytest.mark.parametrize("text", HARMLESS)
def test_any_other_text_is_left_as_it_is(text: str) -> None:
    assert guarded(text) == text
    (cells,) = csv.reader(io.StringIO(lines(row(text=text)), newline=""))
    assert cells[0] == text


@pytest.mark.parametrize(
    ("data", "cell"),
    [(-1, "'-1"), ("=1", '"=1"'), ({"=1": "@x"}, '{"=1":"@x"}'), (["-1", None], '["-1",null]')],
)
def test_data_are_json_which_is_guarded_too(data: Any, cell: str) -> None:
    assert csv_cell(Kind.DATA, data, zone=KOLKATA) == cell


def test_text_that_has_no_utf_8_is_marked_and_ends_nothing() -> None:
    assert csv_rows(COLUMNS, [row(data=["\ud800"])], zone=KOLKATA).endswith(b',"[""?""]"\r\n')


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8), max_size=4))
def test_whatever_the_texts_are_a_reader_of_csv_gets_them_back_and_no_cell_begins_a_formula(texts: list[str]) -> None:
    told = csv_header(COLUMNS) + csv_rows(COLUMNS, [row(text=text) for text in texts], zone=KOLKATA)
    read = list(csv.DictReader(io.StringIO(told.decode(), newline=""), strict=True))
    cells = [one["text"] for one in read]
    assert [cell.removeprefix("'") if cell != text else cell for cell, text in zip(cells, texts, strict=True)] == texts
    assert not any(cell.lstrip().startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)
