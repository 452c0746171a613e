"""Quantities of budgets, as people read them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from costtrack.domain.quantity_words import quantity_words


@pytest.mark.parametrize(
    ("value", "metric", "words"),
    [
        ("12.5", "cost_usd", "$12.50"),
        ("0.0045", "cost_usd", "$0.004500"),
        ("-3", "cost_usd", "-$3.00"),
        ("12500", "tokens", "12,500 tokens"),
        ("12500.6", "tokens", "12,501 tokens"),
        ("0.4", "calls", "0.4 calls"),
        ("0", "calls", "0 calls"),
        ("2.500", "amount", "2.5 units"),
        ("-1234567.891", "amount", "-1,234,567.89 units"),
        ("0.000001", "amount", "0.000001 units"),
    ],
)
def test_a_quantity_has_its_unit_and_no_more_places_than_people_need(value: str, metric: str, words: str) -> None:
    assert quantity_words(Decimal(value), metric) == words
