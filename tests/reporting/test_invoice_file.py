"""Invoices as files: what is read, and what is said of each line that can not be."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from costtrack.exceptions import InvoiceFileError
from costtrack.reporting.invoice_file import MAX_BYTES, read_invoice

HEADER = "date,model,cost_usd\n"


def problems(text: str | bytes) -> list[tuple[int, str]]:
    with pytest.raises(InvoiceFileError) as caught:
        read_invoice(text.encode() if isinstance(text, str) else text, provider="openai")
    return list(caught.value.problems)


def test_lines_of_a_day_and_model_are_added_up_and_other_columns_left_alone() -> None:
    text = (
        "\ufeffCost_USD , kind,Model,date\r\n"
        "0.10,input,gpt-4o,2026-11-01\r\n"
        "\r\n"
        '0.25,output,"GPT-4o",2026-11-01\r\n'
        "-0.05,credit,gpt-4o,2026-11-01\r\n"
        "1e-1,input,openai/o1,2026-11-03\r\n"
    )
    invoice = read_invoice(text.encode(), provider="openai")
    assert invoice.amounts == {
        (date(2026, 11, 1), "gpt-4o"): Decimal("0.30"),
        (date(2026, 11, 3), "o1"): Decimal("0.1"),
    }
    assert (invoice.days.start, invoice.days.end) == (date(2026, 11, 1), date(2026, 11, 4))


def test_the_floats_of_a_provider_are_taken_at_twelve_places() -> None:
    invoice = read_invoice(f"{HEADER}2026-11-01,o1,0.06000000000000001\n".encode(), provider="openai")
    assert list(invoice.amounts.values()) == [Decimal("0.060000000000")]


def test_every_bad_line_is_told_with_its_number() -> None:
    text = (
        f"{HEADER}"
        "2026-11-01,gpt-4o,1\n"
        "1.11.2026,gpt-4o,1\n"
        "2026-11-01,,1\n"
        '2026-11-01,"gpt\n4o",one\n'
        "2026-11-01,gpt-4o,NaN\n"
        "2026-11-01,gpt-4o,1e12\n"
        "2026-11-01,gpt-4o\n"
        "2026-11-01,gpt-4o,$5\n"
    )
    found = problems(text)
    assert [line for line, _ in found] == [3, 4, 5, 7, 8, 9, 10]
    said = [reason for _, reason in found]
    assert said[0].startswith("date: got '1.11.2026', expected a date like")
    assert said[1] == "model: got '', expected a model's id of 1 to 200 characters."
    assert said[2] == "cost_usd: got 'one', expected a number."
    assert said[3] == "cost_usd: got 'NaN', expected a finite number."
    assert said[4] == "cost_usd: got '1e12', expected US dollars between -1e12 and 1e12."
    assert said[5] == "has 2 cell(s), the header 3"
    assert said[6] == "cost_usd: got '$5', expected a number."


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", 1, "holds no amounts"),
        (HEADER, 1, "holds no amounts"),
        ("date,model\n2026-11-01,gpt-4o\n", 1, "needs a header with each of date, model, cost_usd once"),
        ("\ndate,model,cost_usd,date\n", 2, "it is: date, model, cost_usd, date"),
        (f'{HEADER}2026-11-01,"gpt-4o,1\n', 2, "is no CSV"),
        (f"{HEADER}2026-11-01,gpt-4o\x00,1\n", 2, "model: got "),
        (HEADER.encode() + b"2026-11-01,gpt-\xff,1\n", 2, 'is not UTF-8; of a spreadsheet, save it as "CSV UTF-8"'),
        ("date;model;cost_usd\n2026-11-01;gpt-4o;1,5\n", 1, "is not separated by commas; save the file with commas."),
        ("date\tmodel\tcost_usd\n", 1, "is not separated by commas"),
        ("when\n2026-11-01\n", 1, "needs a header with each of date, model, cost_usd once; it is: when"),
        ("x" * (MAX_BYTES + 1), 1, "the file is longer than 5,242,880 bytes"),
        (f"{HEADER}2026-11-01,o1,1\n2023-01-01,o1,1\n", 2, "2026-11-01 lies more than 1,100 days after 2023-01-01"),
    ],
)
def test_a_file_that_is_no_invoice_says_why(text: str | bytes, line: int, said: str) -> None:
    [(number, reason)] = problems(text)
    assert number == line
    assert said in reason


def test_the_longest_period_is_taken() -> None:
    last = date(2023, 1, 1) + timedelta(days=1099)
    invoice = read_invoice(f"{HEADER}2023-01-01,o1,1\n{last},o1,1\n".encode(), provider="openai")
    assert (invoice.days.end - invoice.days.start).days == 1100


def test_of_many_bad_lines_the_message_tells_twenty() -> None:
    text = HEADER + "x,o1,1\n" * 25
    with pytest.raises(InvoiceFileError, match=r"25 bad line\(s\)(?s:.*)line 21: (?s:.*)And 5 more\."):
        read_invoice(text.encode(), provider="openai")
