from __future__ import annotations

from decimal import Decimal

import pytest

from costtrack.dashboard.charts.drawing import element, picture, place, position, scale_steps, scale_top
from tests.dashboard.reading import document


@pytest.mark.parametrize(
    ("value", "top"),
    [
        ("0", "4"),  # steps of 1
        ("-3", "4"),
        ("4", "4"),
        ("4.01", "6"),  # 1.0025 a step: 1.5
        ("5.7", "6"),
        ("7", "8"),
        ("9", "10"),
        ("11", "12"),
        ("13", "16"),
        ("17", "20"),
        ("21", "40"),  # 5.25 a step: 10
        ("0.003", "0.004"),
        ("0.05", "0.08"),  # 1.25 cents a step: not 1.5, which would read as 2
        ("0.012", "0.04"),
        ("1234567", "1600000"),  # 308,641.75 a step: 400,000
    ],
)
def test_a_scale_ends_at_four_steps_that_people_can_read(value: str, top: str) -> None:
    assert scale_top(Decimal(value)) == Decimal(top)
    assert scale_top(Decimal(value)) >= Decimal(value)


def test_its_figures_go_down_to_nothing() -> None:
    assert scale_steps(Decimal(6)) == [Decimal(6), Decimal("4.5"), Decimal(3), Decimal("1.5"), Decimal(0)]


def test_a_position_is_a_share_of_the_line_and_never_off_it() -> None:
    assert position(Decimal(1), of=Decimal(3), length=100) == Decimal("33.33")
    assert position(Decimal(4), of=Decimal(3), length=100) == 100
    assert position(Decimal(-1), of=Decimal(3), length=100) == 0
    assert position(Decimal(1), of=Decimal(0), length=100) == 0


def test_slots_tile_the_line() -> None:
    assert [place(index, count=3, length=1000) for index in range(4)] == [
        Decimal(0),
        Decimal("333.33"),
        Decimal("666.67"),
        Decimal(1000),
    ]
    assert place(0, count=0, length=1000) == 0


def test_what_names_say_is_escaped() -> None:
    evil = '"><script>alert(1)</script>'
    one = document(picture(element("g", class_=evil), title=evil, width=1, height=1, class_="x")).one("svg")
    assert one.all("script") == []
    assert one.attributes["aria-label"] == evil
    assert one.one("title").text == evil
    assert one.one("g").attributes["class"] == evil


def test_a_picture_is_an_image_with_a_title_and_a_label_and_no_style() -> None:
    one = document(picture(title="Costs", width=10, height=20, class_="x")).one("svg")
    assert one.attributes == {
        "class": "x",
        "viewbox": "0 0 10 20",
        "preserveaspectratio": "none",
        "role": "img",
        "aria-label": "Costs",
    }
    assert one.one("title").text == "Costs"
