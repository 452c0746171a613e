from __future__ import annotations

from decimal import Decimal
from typing import Any

from costtrack.dashboard.charts.bars import BudgetBar, Tick, share_bar, sparkline
from tests.dashboard.reading import document

D = Decimal


def bar(**fields: Any) -> BudgetBar:
    """10 of 40 spent."""
    values: dict[str, Any] = {"id": "b", "title": "10 of 40", "limit": D(40), "spent": D(10), **fields}
    return BudgetBar(**values)


def test_a_share_is_as_long_as_its_part_of_the_longest() -> None:
    svg = document(share_bar(D(1), of=D(4), title="gpt-4: 25 %", class_="ct-s3")).one("svg")
    assert svg.one("rect", class_="ct-s3").attributes["width"] == "25.00"
    assert svg.attributes["aria-label"] == "gpt-4: 25 %"


def test_of_a_budget_the_spent_part_is_filled_and_the_held_one_follows_it_hatched() -> None:
    svg = document(bar(held=D(4)).svg).one("svg")
    assert svg.one("rect", class_="ct-ok").attributes["width"] == "250.00"  # 10 / 40 of 1000
    held = svg.all("rect")[-1]
    assert (held.attributes["x"], held.attributes["width"], held.attributes["fill"]) == (
        "250.00",
        "100.00",
        "url(#b-hatch)",
    )


def test_thresholds_are_ticks_with_words() -> None:
    svg = document(bar(ticks=[Tick(value=D(32), title="80 % spent"), Tick(value=D(60), title="beyond")]).svg).one("svg")
    [tick] = svg.all("line", class_="ct-tick")
    assert tick.attributes["x1"] == "800.00"
    assert "80 % spent" in svg.text
    assert "beyond" not in svg.text


def test_what_lies_beyond_the_limit_stretches_the_bar_and_the_limit_is_a_line_in_it() -> None:
    svg = document(bar(spent=D(50), class_="ct-over").svg).one("svg")
    assert svg.one("rect", class_="ct-over").attributes["width"] == "1000.00"
    assert svg.one("line", class_="ct-limit").attributes["x1"] == "800.00"  # 40 of 50
    assert document(bar().svg).all("line", class_="ct-limit") == []


def test_a_forecast_stands_faint_behind_what_is_spent() -> None:
    svg = document(bar(forecast=D(80)).svg).one("svg")
    ghost, spent = svg.all("rect", class_="ct-ok")
    assert ("ct-ghost" in ghost.attributes["class"], ghost.attributes["width"]) == (True, "1000.00")
    assert spent.attributes["width"] == "125.00"  # 10 of 80


def test_a_limit_of_nothing_draws_an_empty_bar() -> None:
    svg = document(bar(limit=D(0), spent=D(0)).svg).one("svg")
    assert svg.one("rect", class_="ct-ok").attributes["width"] == "0"


def test_a_sparkline_has_a_point_for_each_day() -> None:
    svg = document(sparkline([D(0), D(2), D(4)], title="up")).one("svg")
    # 120 wide, 24 of 28 high, from 2 below the top.
    assert svg.one("polyline").attributes["points"] == "0.00,26 60.00,14.00 120.00,2.00"
    assert document(sparkline([], title="nothing")).one("polyline").attributes["points"] == ""
