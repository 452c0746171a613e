from __future__ import annotations

from decimal import Decimal
from typing import Any

from costtrack.dashboard.charts.stacked_bars import Level, Series, StackedBars, class_of
from costtrack.reporting.wording import usd_text
from tests.dashboard.reading import Element, document

D = Decimal


def chart(**fields: Any) -> StackedBars:
    """Two days of two models: 1 + 3, and 2 + 0."""
    series = [
        Series(name="gpt-4", values=[D(1), D(2)], total="$3.00", class_="ct-s1"),
        Series(name="claude", values=[D(3), D(0)], total="$3.00", class_="ct-s2"),
    ]
    values: dict[str, Any] = {
        "id": "c",
        "title": "Costs",
        "bars": ["1 Nov", "2 Nov"],
        "series": series,
        "written": usd_text,
        **fields,
    }
    return StackedBars(**values)


def box(one: Element) -> tuple[str, ...]:
    return tuple(one.attributes[name] for name in ("x", "y", "width", "height", "class"))


def test_bars_stand_on_one_another_and_their_heights_are_their_shares_of_the_scale() -> None:
    svg = document(chart().svg).one("svg")
    first, second = svg.all("g", class_="ct-stack")
    # The scale ends at 4, which is 240 high: 1 is 60. Slots are 500 wide, bars 90 at most.
    assert [box(one) for one in first.all("rect")[1:]] == [
        ("205.00", "180.00", "90.00", "60.00", "ct-s1"),
        ("205.00", "0.00", "90.00", "180.00", "ct-s2"),
    ]
    assert [box(one) for one in second.all("rect")[1:]] == [("705.00", "120.00", "90.00", "120.00", "ct-s1")]


def test_each_bar_tells_its_parts() -> None:
    first, second = document(chart().svg).all("g", class_="ct-stack")
    assert first.one("title").text == "1 Nov: $4.00 (claude $3.00, gpt-4 $1.00)"
    assert second.one("title").text == "2 Nov: $2.00 (gpt-4 $2.00)"


def test_the_table_has_the_same_figures() -> None:
    assert chart().rows == [("1 Nov", ["$1.00", "$3.00"], "$4.00"), ("2 Nov", ["$2.00", "$0.00"], "$2.00")]
    assert chart().scale == ["$4.00", "$3.00", "$2.00", "$1.00", "$0.00"]


def test_the_table_has_what_is_still_to_come() -> None:
    coming: dict[str, Any] = {"coming": ["3 Nov"], "coming_value": D(5)}
    assert chart(**coming).rows[2:] == [("3 Nov, forecast", ["", ""], "$5.00")]
    alone = Series(name="Cost", values=[D(1), D(2)], total="$3.00", class_="ct-s1")
    assert chart(series=[alone], **coming).rows[2:] == [("3 Nov, forecast", ["$5.00"], "$5.00")]


def test_what_has_no_price_is_not_told_as_0() -> None:
    unpriced = Series(name="new", values=[D(0), D(0), D(0)], total="unpriced", class_="ct-s1", unpriced={0, 1})
    priced = Series(name="gpt-4", values=[D(1), D(0), D(0)], total="$1.00", class_="ct-s2")
    shown = chart(bars=["1 Nov", "2 Nov", "3 Nov"], series=[unpriced, priced])
    assert shown.rows == [
        ("1 Nov", ["unpriced", "$1.00"], "$1.00"),
        ("2 Nov", ["unpriced", "$0.00"], "unpriced"),
        ("3 Nov", ["$0.00", "$0.00"], "$0.00"),
    ]
    told = [one.one("title").text for one in document(shown.svg).all("g", class_="ct-stack")]
    assert told == ["1 Nov: $1.00 (gpt-4 $1.00, new unpriced)", "2 Nov: unpriced (new unpriced)", "3 Nov: $0.00"]


def test_a_budget_s_level_is_a_line_that_the_scale_has_room_for() -> None:
    leveled = chart(level=Level(name="budget", value=D(6)))
    line = document(leveled.svg).one("line", class_="ct-level")
    assert leveled.scale[0] == "$6.00"
    assert (line.attributes["y1"], line.attributes["y2"]) == ("0.00", "0.00")


def test_days_to_come_are_hatched_by_a_pattern_of_this_chart() -> None:
    coming = chart(coming=["3 Nov", "4 Nov"], coming_value=D(2))
    svg = document(coming.svg).one("svg")
    bars = svg.all("rect", class_="ct-coming")
    assert [bar.attributes["fill"] for bar in bars] == ["url(#c-hatch)", "url(#c-hatch)"]
    assert svg.by_id("c-hatch").tag == "pattern"
    assert [bar.attributes["height"] for bar in bars] == ["120.00", "120.00"]  # 2 of 4
    assert "3 Nov: forecast $2.00" in svg.text
    assert coming.labels == ["1 Nov", "2 Nov", "3 Nov", "4 Nov"]


def test_a_correction_below_nothing_is_in_the_table_and_not_drawn() -> None:
    series = [Series(name="gpt-4", values=[D(-5)], total="-$5.00", class_="ct-s1")]
    negative = chart(bars=["1 Nov"], series=series)
    assert negative.rows == [("1 Nov", ["-$5.00"], "-$5.00")]
    [stack] = document(negative.svg).all("g", class_="ct-stack")
    assert len(stack.all("rect")) == 1  # the slot alone


def test_of_many_labels_some_are_shown() -> None:
    names = [str(number) for number in range(1, 31)]
    many = chart(bars=names, series=[Series(name="a", values=[D(1)] * 30, total="", class_="ct-s1")])
    assert [label for label in many.labels if label] == ["1", "6", "11", "16", "21", "26"]
    assert len(many.labels) == 30


def test_nothing_is_an_empty_chart() -> None:
    empty = chart(series=[Series(name="a", values=[D(0), D(0)], total="", class_="ct-s1")])
    assert empty.is_empty
    assert not chart().is_empty
    assert document(chart(bars=[], series=[]).svg).all("g") == []


def test_the_tenth_colour_is_the_first_again() -> None:
    assert [class_of(index) for index in (0, 8, 9)] == ["ct-s1", "ct-s9", "ct-s1"]
