"""capture_usage: what was metered and what it costs, without a database: pytest-django refuses any query here."""

from __future__ import annotations

import threading
from decimal import Decimal
from pathlib import Path

import pytest

import costtrack.testing
from costtrack import RateFileError, attribute, meter, record_api_call, record_usage
from costtrack.testing import UsageLog, capture_usage
from costtrack.testing.prices import shipped_book

GPT_4O = Decimal("0.0075")
"""1,000 tokens at 2.50 USD and 500 at 10 USD per million: 0.0025 + 0.005."""


def call_gpt_4o() -> None:
    with meter("chat", model="gpt-4o") as call:
        call.set_usage(input_tokens=1000, output_tokens=500)


def test_calls_are_priced_by_the_shipped_data_without_a_database() -> None:
    with capture_usage() as log:
        call_gpt_4o()
        record_usage(provider="anthropic", model="claude-sonnet-4-5", input_tokens=2000, output_tokens=100)
    # 2,000 at 3 USD and 100 at 15 USD per million: 0.006 + 0.0015
    assert log.costs == (GPT_4O, Decimal("0.0075"))
    assert log.total_cost_usd == Decimal("0.015")
    assert [event.model for event in log] == ["gpt-4o", "claude-sonnet-4-5"]


def test_a_model_of_the_supplement_has_its_price() -> None:
    with capture_usage() as log:
        record_usage(model="claude-sonnet-3-5", input_tokens=1_000_000)
    assert log.costs == (Decimal(3),)


def test_a_cost_that_the_provider_reported_wins_over_the_price() -> None:
    with capture_usage() as log:
        record_usage(model="gpt-4o", input_tokens=1000, output_tokens=500, cost_usd="0.25")
    assert log.total_cost_usd == Decimal("0.25")


def test_an_unknown_model_is_unpriced_and_nobody_knows_the_total() -> None:
    with capture_usage() as log:
        call_gpt_4o()
        record_usage(model="house-model-7", input_tokens=5)
    assert log.costs == (GPT_4O, None)
    assert [event.model for event in log.unpriced] == ["house-model-7"]
    assert log.total_cost_usd is None


def test_an_empty_log_costs_nothing() -> None:
    with capture_usage() as log:
        pass
    assert (log.costs, log.unpriced, log.total_cost_usd) == ((), (), Decimal(0))


def test_a_repeated_idempotency_key_is_charged_once_per_organization_as_in_the_ledger() -> None:
    with capture_usage() as log:
        for organization in ("acme", "acme", "globex"):
            with attribute(organization=organization):
                record_usage(model="gpt-4o", input_tokens=1000, output_tokens=500, idempotency_key="once")
    assert log.costs == (GPT_4O, Decimal(0), GPT_4O)


def test_prices_of_a_file_come_before_the_shipped_ones(tmp_path: Path) -> None:
    rates = tmp_path / "prices.csv"
    rates.write_text(
        "provider,model,resource_type,input_per_1m,output_per_1m,unit_price_usd\n"
        ",gpt-4o,,1,2,\n"
        ",house-model-7,,4,0,\n"
        "exa,*,api_call,,,0.005\n"
    )
    with capture_usage(rates=rates) as log:
        call_gpt_4o()
        record_usage(provider="house", model="house-model-7", input_tokens=500_000)
        record_usage(model="gpt-4", input_tokens=1000)
        record_api_call("exa")
    # 1,000 at 1 and 500 at 2 per million; 500,000 at 4; the shipped 30 for gpt-4; one call
    assert log.costs == (Decimal("0.002"), Decimal(2), Decimal("0.03"), Decimal("0.005"))


def test_a_bad_price_file_is_said_to_be_bad(tmp_path: Path) -> None:
    rates = tmp_path / "prices.csv"
    rates.write_text("model,input_per_1m\ngpt-4o,minus one\n")
    with capture_usage(rates=str(rates)) as log:
        call_gpt_4o()
    with pytest.raises(RateFileError, match="line 2: input_per_1m is 'minus one'"):
        _ = log.costs


def test_the_shipped_data_is_read_once_per_process() -> None:
    with capture_usage() as first, capture_usage() as second:
        call_gpt_4o()
    assert (first.costs, second.costs) == ((GPT_4O,), (GPT_4O,))
    assert shipped_book() is shipped_book()


def test_what_is_metered_inside_an_inner_log_was_metered_inside_the_outer_one() -> None:
    with capture_usage() as outer:
        call_gpt_4o()
        with capture_usage() as inner:
            call_gpt_4o()
        call_gpt_4o()
    assert (len(outer), len(inner)) == (3, 1)


def test_calls_of_other_threads_are_captured() -> None:
    with capture_usage() as log:
        thread = threading.Thread(target=call_gpt_4o)
        thread.start()
        thread.join()
    assert len(log) == 1


def test_the_fixture_is_a_log_of_the_whole_test(captured_usage: UsageLog) -> None:
    call_gpt_4o()
    assert captured_usage.total_cost_usd == GPT_4O


def test_the_names_are_listed_and_an_unknown_one_is_an_attribute_error() -> None:
    assert set(costtrack.testing.__all__) <= set(dir(costtrack.testing))
    with pytest.raises(AttributeError, match=r"module 'costtrack.testing' has no attribute 'memory_log'"):
        costtrack.testing.memory_log  # noqa: B018
