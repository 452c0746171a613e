"""The arithmetic of a ledger row: what adds up to its cost, to the last digit, or why nothing does."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from costtrack.metering.corrections import void_usage
from costtrack.metering.ledger import record_events
from costtrack.models import ResourceUsage
from costtrack.reporting.cost_arithmetic import CostArithmetic, NoArithmetic, UnitLine, cost_arithmetic, rates_of
from tests.factories import make_event, make_organization, make_rate
from tests.reporting.booked import book

pytestmark = pytest.mark.django_db


def booked(**fields: Any) -> ResourceUsage:
    """The row of such an event; acme's."""
    make_organization()
    [result] = record_events([make_event(**fields)])
    return ResourceUsage.objects.get(id=result.usage_id)


def arithmetic_of(row: ResourceUsage) -> CostArithmetic:
    """It adds up to the row's cost, and its parts to its total."""
    found = cost_arithmetic(row)
    assert isinstance(found, CostArithmetic)
    assert found.total_usd == row.cost_usd
    parts = [line.cost_usd for line in found.lines] + [found.units.cost_usd if found.units else Decimal(0)]
    assert sum(parts, start=found.request_usd or Decimal(0)) == found.total_usd
    return found


def lines(found: CostArithmetic) -> list[tuple[str, int, str, str]]:
    return [(line.token_class, line.tokens, str(line.usd_per_million), str(line.cost_usd)) for line in found.lines]


def test_tokens_are_multiplied_class_by_class(django_assert_num_queries: Any) -> None:
    prices = {"cache_read_usd_per_million": Decimal("0.3"), "reasoning_usd_per_million": Decimal(20)}
    rate = make_rate(source="a list", source_version="7", **prices)
    # Of 10,000 in, 8,000 are from a cache; of 500 out, 100 are reasoning.
    row = booked(input_tokens=10_000, output_tokens=500, cache_read_tokens=8_000, reasoning_tokens=100)
    with django_assert_num_queries(2):
        found = arithmetic_of(row)
    assert lines(found) == [
        ("input", 2_000, "3", "0.006"),
        ("cache_read", 8_000, "0.3", "0.0024"),
        ("output", 400, "15", "0.006"),
        ("reasoning", 100, "20", "0.002"),
    ]
    assert found.total_usd == Decimal("0.0164")
    assert (found.rate.id, found.rate.source, found.rate.source_version) == (rate.pk, "a list", "7")
    assert (found.above_input_tokens, found.units, found.request_usd) == (None, None, None)


@pytest.mark.parametrize(
    ("tokens", "threshold", "cost"),
    [
        (200_000, None, "0.6"),  # 200,000 x 3
        (200_001, 200_000, "1.200006"),  # 200,001 x 6
        (1_000_000, 200_000, "6"),
        (1_000_001, 1_000_000, "9.000009"),  # 1,000,001 x 9
    ],
)
def test_above_a_threshold_the_tier_s_prices_hold_for_the_whole_request(
    tokens: int, threshold: int | None, cost: str
) -> None:
    rate = make_rate()
    rate.tiers.create(above_input_tokens=200_000, input_usd_per_million=Decimal(6))
    rate.tiers.create(above_input_tokens=1_000_000, input_usd_per_million=Decimal(9))
    found = arithmetic_of(booked(input_tokens=tokens, output_tokens=0))
    assert (found.above_input_tokens, str(found.total_usd)) == (threshold, cost)


def test_a_price_per_call_comes_on_top_of_the_tokens() -> None:
    make_rate(request_usd=Decimal("0.01"))
    found = arithmetic_of(booked(input_tokens=1000, output_tokens=0))
    assert (lines(found), found.request_usd) == ([("input", 1000, "3", "0.003")], Decimal("0.01"))
    assert found.total_usd == Decimal("0.013")


def tool_rate(**prices: Decimal) -> None:
    make_rate("h100", "gpu", resource_type="gpu_seconds", **prices)


def use_tool(amount: str, **fields: Any) -> ResourceUsage:
    tool: dict[str, Any] = {"provider": "gpu", "model": "h100", "resource_type": "gpu_seconds"}
    return booked(input_tokens=0, output_tokens=0, amount=Decimal(amount), **tool, **fields)


def test_units_are_multiplied_by_their_price() -> None:
    tool_rate(unit_price_usd=Decimal("0.001"), request_usd=Decimal("0.5"))
    found = arithmetic_of(use_tool("2710.5"))
    # 2,710.5 x 0.001 = 2.7105, and 0.5 for the call.
    assert found.units == UnitLine("gpu_seconds", Decimal("2710.5"), Decimal("0.001"), Decimal("2.7105"))
    assert (found.lines, found.request_usd, found.total_usd) == ((), Decimal("0.5"), Decimal("3.2105"))


def test_a_resource_may_cost_by_the_call_alone() -> None:
    tool_rate(request_usd=Decimal("0.5"))
    found = arithmetic_of(use_tool("7"))
    assert (found.units, found.request_usd, found.total_usd) == (None, Decimal("0.5"), Decimal("0.5"))


def test_a_price_of_zero_is_multiplied_too() -> None:
    make_rate(per_million=("0", "0"))
    row = booked()
    assert row.cost_source == "free"
    assert lines(arithmetic_of(row)) == [("input", 1000, "0", "0"), ("output", 100, "0", "0")]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"reported_cost_usd": Decimal("0.07")}, NoArithmetic.REPORTED),
        ({"model": "unheard-of"}, NoArithmetic.UNPRICED),
        ({"input_tokens": 0, "output_tokens": 0}, NoArithmetic.NO_TOKENS),
        ({"input_tokens": 0, "output_tokens": 0, "outcome": "error"}, NoArithmetic.NO_TOKENS),
    ],
)
def test_without_a_multiplication_it_says_why(fields: dict[str, Any], why: NoArithmetic) -> None:
    make_rate()
    row = booked(**fields)
    assert cost_arithmetic(row) is why
    assert str(why.label).endswith(".")


def test_a_failed_call_that_used_nothing_pays_no_price_per_call() -> None:
    tool_rate(request_usd=Decimal("0.5"))
    row = use_tool("0", outcome="error")
    assert row.cost_usd == 0
    assert cost_arithmetic(row) is NoArithmetic.NOTHING_USED


def test_unknown_usage_at_a_free_rate_says_so() -> None:
    make_rate(per_million=("0", "0"))
    row = booked(input_tokens=0, output_tokens=0, usage_missing=True)
    assert (row.cost_source, cost_arithmetic(row)) == ("free", NoArithmetic.UNKNOWN_USAGE)


def test_a_row_whose_rate_has_no_price_for_it_claims_none() -> None:
    acme = make_organization()
    unpriced_output = make_rate(per_million=("3", "15"))
    type(unpriced_output).objects.update(output_usd_per_million=None)
    row = book(acme, "0.06", rate=unpriced_output, input_tokens=10, output_tokens=10)
    assert cost_arithmetic(row) is NoArithmetic.NO_PRICE
    tool = book(acme, "0.06", rate=unpriced_output, resource_type="gpu_seconds", amount=Decimal(1))
    assert cost_arithmetic(tool) is NoArithmetic.NO_PRICE


def test_what_is_free_by_rule_needed_no_rate() -> None:
    assert cost_arithmetic(book(make_organization(), "0", cost_source="free")) is NoArithmetic.NO_RATE


def test_a_correction_is_told_as_one_though_it_names_a_rate() -> None:
    make_rate()
    void = void_usage(booked().pk, reason="sent twice")
    assert void.rate_id is not None
    assert cost_arithmetic(void) is NoArithmetic.CORRECTION


def test_the_rates_of_many_rows_are_read_at_once(django_assert_num_queries: Any) -> None:
    acme = make_organization()
    cheap, dear = make_rate("a", per_million=("1", "2")), make_rate("b", per_million=("10", "20"))
    rows = [
        book(acme, cost, model=rate.model, rate=rate, input_tokens=1_000_000)
        for rate, cost in ((cheap, "1"), (dear, "10"), (cheap, "1"))
    ]
    rows.append(book(acme, None, model="c"))
    with django_assert_num_queries(2):
        rates = rates_of(rows)
        found = [cost_arithmetic(row, rates=rates) for row in rows]
    assert [one.total_usd for one in found if isinstance(one, CostArithmetic)] == [Decimal(1), Decimal(10), Decimal(1)]
    assert found[3] is NoArithmetic.UNPRICED
    with django_assert_num_queries(0):
        assert rates_of(rows[3:]) == {}
