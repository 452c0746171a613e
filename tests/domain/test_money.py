from __future__ import annotations

import decimal
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costtrack.domain.money import (
    EXACT,
    decimal_from_database,
    decimal_text,
    format_usd,
    parse_decimal,
    parse_usd,
    plain,
    round_cost,
)
from costtrack.exceptions import InvalidUsage


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [
        (0.1, "0.1"),
        ("0.000123456789", "0.000123456789"),
        (3, "3"),
        (Decimal("1e-12"), "0.000000000001"),
        (1e-13, "0"),
        (0.0000000000015, "0.000000000002"),  # half-even: 1.5 goes to the even 2
        (0.0000000000025, "0.000000000002"),
        (0, "0"),
    ],
)
def test_dollars_are_taken_exactly_and_rounded_half_even_at_12_places(given_value: object, expected: str) -> None:
    assert parse_usd("cost_usd", given_value) == Decimal(expected)


BAD_DOLLARS = [
    float("nan"),
    float("inf"),
    float("-inf"),
    Decimal("NaN"),
    Decimal("sNaN"),
    Decimal("Infinity"),
    "NaN",
    "1e999",
    "",
    "ten",
    "1" * 5000,
    10**5000,
    -1,
    -0.01,
    "-0.000000000001",
    True,
    None,
    b"1",
    [1],
    10**12,
    "999999999999.9999999999999",  # would round up to 1e12
    Decimal("1e40"),
    Decimal("1e-60"),
]


@pytest.mark.parametrize("bad", BAD_DOLLARS, ids=range(len(BAD_DOLLARS)))
def test_what_is_no_amount_of_dollars_is_a_typed_error_that_names_the_field(bad: object) -> None:
    with pytest.raises(InvalidUsage) as caught:
        parse_usd("cost_usd", bad)
    assert caught.value.field == "cost_usd"
    assert len(str(caught.value)) < 300


def test_an_amount_may_be_negative_where_only_a_number_is_asked_for() -> None:
    assert parse_decimal("amount", "-1.5") == Decimal("-1.5")


def test_the_hosts_decimal_context_changes_nothing() -> None:
    with decimal.localcontext(decimal.Context(prec=3, rounding=decimal.ROUND_UP)):
        assert parse_usd("cost_usd", "123456.789012345678") == Decimal("123456.789012345678")
        assert round_cost(Decimal("0.1234567890125")) == Decimal("0.123456789012")
        assert format_usd(Decimal("1234.565")) == "$1,234.56"


@pytest.mark.parametrize(
    ("value", "places", "shown"),
    [
        ("0", 2, "$0.00"),
        ("1234567.891", 2, "$1,234,567.89"),
        ("-0.005", 2, "$0.00"),
        ("-12.5", 2, "-$12.50"),
        ("0.0000045", 6, "$0.000004"),
    ],
)
def test_dollars_for_people(value: str, places: int, shown: str) -> None:
    assert format_usd(Decimal(value), places) == shown


def test_no_price_is_shown_as_unpriced_never_as_zero() -> None:
    assert format_usd(None) == "unpriced"


TEXTS = [
    ("0.060000", "0.06"),
    ("100", "100"),
    ("1E+3", "1000"),
    ("0E-12", "0"),
    ("-0.0", "0"),
    ("1e-12", "0.000000000001"),
]


@pytest.mark.parametrize(("value", "text"), TEXTS)
def test_json_text_has_no_exponent_and_no_trailing_zeros(value: str, text: str) -> None:
    assert decimal_text(Decimal(value)) == text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        *(("0E-12", "0"), ("-0.00", "0"), ("50.000000000000", "50"), ("1E+3", "1000"), ("0.004500000000", "0.0045")),
        *(("100", "100"), ("-1.50", "-1.5")),
    ],
)
def test_a_number_is_printed_as_people_write_it(value: str, shown: str) -> None:
    assert str(plain(Decimal(value))) == shown
    assert plain(Decimal(value)) == Decimal(value)


@given(st.decimals(min_value=0, max_value=10**9, places=12))
def test_text_brings_back_the_same_amount(value: Decimal) -> None:
    assert Decimal(decimal_text(value)) == value
    assert parse_usd("cost_usd", decimal_text(value)) == value


def test_inexact_money_raises_instead_of_drifting() -> None:
    with pytest.raises(decimal.Inexact):
        EXACT.divide(Decimal(1), Decimal(3))


def test_sums_from_a_database() -> None:
    assert decimal_from_database(None) == 0
    assert decimal_from_database(128.41558500000003) == Decimal("128.415585")
    assert decimal_from_database(Decimal("0.000000000001")) == Decimal("0.000000000001")
    assert decimal_from_database(7) == 7
