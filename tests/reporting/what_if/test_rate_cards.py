"""Another rate card: given as prices by model, as rows or as a file; each call stays on its model."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import costtrack
from costtrack.exceptions import RateFileError
from costtrack.metering.ledger import record_events
from costtrack.models import Rate
from costtrack.reporting.parameters import InvalidParameter
from costtrack.reporting.what_if.comparison import WhatIf
from tests.factories import NOON, make_event, make_organization, make_rate

pytestmark = pytest.mark.django_db
CARD = {"test-model": {"provider": "openai", "input_per_1m": "1.5", "output_per_1m": 7.5}}


@pytest.fixture(autouse=True)
def usage() -> None:
    make_organization()
    make_rate()
    record_events([make_event()])


def asked(rates: Any, **more: Any) -> WhatIf:
    return costtrack.what_if(start=date(2026, 11, 1), end=date(2026, 12, 1), rates=rates, **more)


def test_prices_by_model_halve_the_cost_and_store_nothing() -> None:
    found = asked(CARD)
    # 1000 x 1.5 + 100 x 7.5 = 2250 per million
    assert (found.total.what_if_usd, found.total.difference_usd) == (Decimal("0.00225"), Decimal("-0.00225"))
    assert found.read_from == "ledger"
    assert Rate.objects.count() == 1


def test_rows_of_a_file_have_tiers_dates_and_service_tiers() -> None:
    record_events([make_event(), make_event(2000, 100), make_event(service_tier="batch")])
    row = {"model": "test-model", "provider": "openai", "output_per_1m": "10"}
    found = asked(
        [
            {**row, "input_per_1m": "1", "effective_from": (NOON - timedelta(days=1)).isoformat()},
            {
                **row,
                "input_per_1m": "2",
                "effective_from": NOON.isoformat(),
                "tiers": [{"above_input_tokens": 1999, "input_per_1m": "4"}],
            },
            {**row, "input_per_1m": "0.5", "service_tier": "batch"},
        ]
    )
    # at noon: twice 1000 x 2 + 100 x 10 = 3000; 2000 x 4 + 1000 = 9000; batch 500 + 1000 = 1500: 16,500 per million
    assert found.total.what_if_usd == Decimal("0.0165")


def test_what_the_card_does_not_name_is_listed_tools_too() -> None:
    record_events(
        [
            make_event(model="house-model"),
            make_event(0, 0, resource_type="api_call", provider="pubmed", model="", amount=Decimal(1)),
        ]
    )
    found = asked(CARD)
    assert [(one.model, one.reason, one.calls) for one in found.not_priced] == [
        ("house-model", "no_rate", 1),
        ("pubmed", "no_rate", 1),
    ]
    assert found.total.not_priced_calls == 2


def test_units_of_other_resources_are_rounded_call_by_call_as_in_the_books() -> None:
    gpu = {"resource_type": "gpu_seconds", "model": "a100", "provider": "lab"}
    record_events([make_event(0, 0, amount=Decimal("0.000000001"), **gpu) for _ in range(2)])
    found = asked([{**gpu, "unit_price_usd": "0.0015"}])
    # 0.000000001 x 0.0015 = 1.5e-12, half-even at 12 places 2e-12; twice: 4e-12, not round(3e-12)
    assert found.total.what_if_usd == Decimal("0.000000000004")


def test_another_model_priced_by_the_card() -> None:
    found = asked({"future-model": {"input_per_1m": 1, "output_per_1m": 2}}, model="future-model")
    assert (found.read_from, found.total.what_if_usd) == ("summaries", Decimal("0.0012"))


def test_a_file_is_read_as_load_rates_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "rates.yaml"
    path.write_text("rates:\n  test-model: {provider: openai, prompt_per_1k: 0.001, completion_per_1k: 0.002}\n")
    assert asked(path).total.what_if_usd == Decimal("0.0012")


@pytest.mark.parametrize(
    ("rates", "error", "words"),
    [
        ({"m": {"input_per_1m": "-1"}}, RateFileError, "line 1: input_per_1m is negative"),
        ({"m": {"colour": "red", "input_per_1m": 1}}, RateFileError, "colour is not known"),
        ({"m": {}}, RateFileError, "m has no price"),
        ([CARD["test-model"]], RateFileError, "model is missing"),
        ([{"model": "m", "input_per_1m": price} for price in (1, 2)], RateFileError, "line 2: m stands twice"),
        ({}, InvalidParameter, "rates: got"),
        ("gpt-4o", InvalidParameter, "expected a rate file's path"),
        ([1], InvalidParameter, "expected a rate file's path"),
        ({"m": 3}, InvalidParameter, "expected a rate file's path"),
        (Path("/no/such/file.yaml"), InvalidParameter, "a file that can be read"),
    ],
)
def test_a_bad_card_is_refused_with_its_rows(rates: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        asked(rates)
