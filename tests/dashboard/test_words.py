from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from costtrack.dashboard.words import (
    NONE,
    call_cost,
    change_text,
    direction,
    instant_words,
    quantity,
    share_text,
    short_count,
)
from costtrack.domain.periods import ZoneHistory

D = Decimal


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.00K"),
        (12_345, "12.3K"),
        (123_456, "123K"),
        (4_560_000, "4.56M"),
        (28_000_000, "28.0M"),
        (1_985_000_000, "1.98B"),
        (-1500, "-1.50K"),
    ],
)
def test_counts_have_three_digits(number: int, text: str) -> None:
    assert short_count(number) == text


def test_shares_are_percents_and_of_nothing_a_dash() -> None:
    assert share_text(D(1), D(3)) == "33.3\u00a0%"
    assert share_text(1, 8, places=2) == "12.50\u00a0%"
    assert share_text(0, 0) == NONE


def test_a_change_is_told_where_there_is_something_to_compare() -> None:
    assert change_text(D(60), D(25)) == "+140\u00a0%"
    assert change_text(D(1), D(4)) == "-75\u00a0%"
    assert change_text(D(4), D(4)) == "±0\u00a0%"
    assert change_text(D(4), D(0)) == "new"
    assert [change_text(None, D(4)), change_text(D(4), None), change_text(D(0), D(0))] == [NONE, NONE, NONE]
    assert [direction(D(2), D(1)), direction(D(1), D(2)), direction(D(1), D(1)), direction(None, D(1))] == [
        "up",
        "down",
        "same",
        "same",
    ]


def test_quantities_are_of_their_metric() -> None:
    assert quantity(D("12.5"), "cost_usd") == "$12.50"
    assert quantity(D("21398.601398601399"), "tokens") == "21,399 tokens"
    assert quantity(D("3"), "calls") == "3 calls"
    assert quantity(D("-1234.567"), "amount") == "-1,234.57 units"
    assert quantity(None, "calls") == "unlimited"


def test_the_cost_of_a_call_has_six_places() -> None:
    assert call_cost(D("0.0045")) == "$0.004500"
    assert call_cost(None) == "unpriced"


def test_instants_are_told_in_the_zone() -> None:
    noon = datetime(2023, 11, 16, 12, 5, tzinfo=UTC)
    assert instant_words(noon, zone=ZoneHistory.of("Asia/Kolkata")) == "16 Nov 2023, 17:35"
    assert instant_words(None, zone=ZoneHistory.of("UTC")) == NONE
