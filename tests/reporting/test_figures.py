from __future__ import annotations

from decimal import Decimal, localcontext

from costtrack.reporting.figures import Figures, add_up, dearest_first


def test_averages_are_sum_by_calls() -> None:
    # 1 / 3 = 0.333333333333..., 2,000 / 3 = 666.666..., 100 / 2 = 50: the third was not timed
    figures = Figures(calls=3, input_tokens=1500, output_tokens=500, latency_ms=100, timed_calls=2, cost_usd=Decimal(1))
    assert figures.average_cost_usd == Decimal("0.333333333333")
    assert figures.average_tokens == Decimal("666.67")
    assert figures.average_latency_ms == Decimal(50)


def test_the_average_cost_is_that_of_the_priced_calls() -> None:
    # 1.1 / 5 = 0.22
    assert Figures(calls=8, unpriced_calls=3, cost_usd=Decimal("1.1")).average_cost_usd == Decimal("0.22")
    assert Figures(calls=8, unpriced_calls=8).average_cost_usd is None


def test_nothing_has_averages_of_zero() -> None:
    assert Figures().average_cost_usd == Figures().average_tokens == 0
    assert Figures().average_latency_ms is None


def test_the_hosts_decimal_context_does_not_round_our_money() -> None:
    part = Figures(calls=1, cost_usd=Decimal("1234567.000000000001"))
    with localcontext(prec=4):
        whole = add_up([part, part])
        average = whole.average_cost_usd
    assert whole.cost_usd == Decimal("2469134.000000000002")
    assert average == Decimal("1234567.000000000001")


def test_a_cost_is_unknown_only_where_no_call_has_a_price() -> None:
    assert Figures(calls=2, unpriced_calls=2).known_cost_usd is None
    assert Figures(calls=2, unpriced_calls=1).known_cost_usd == 0
    assert Figures().known_cost_usd == 0


def test_lines_come_dearest_first_and_equal_ones_by_name() -> None:
    one, two = Figures(cost_usd=Decimal(1)), Figures(cost_usd=Decimal(2))
    lines = dearest_first({"b": [one], "c": [one, one], "a": [one], "d": [two, one]})
    assert [(line.name, line.figures.cost_usd) for line in lines] == [("d", 3), ("c", 2), ("a", 1), ("b", 1)]
