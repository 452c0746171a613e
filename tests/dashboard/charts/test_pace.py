from __future__ import annotations

from decimal import Decimal

from costtrack.dashboard.charts.pace import PaceChart
from costtrack.reporting.wording import usd_text
from tests.dashboard.reading import document

D = Decimal


def chart(forecast: str | None = "12") -> PaceChart:
    """Two of four days, 1 and 3 of a limit of 8."""
    return PaceChart(
        id="p",
        title="4 of 8",
        days=["1 Nov", "2 Nov", "3 Nov", "4 Nov"],
        spent=[D(1), D(3)],
        limit=D(8),
        forecast=None if forecast is None else D(forecast),
        written=usd_text,
    )


def test_what_is_spent_adds_up_from_the_first_day_on() -> None:
    svg = document(chart().svg).one("svg")
    # The scale ends at 12, which is 200 high: 1 is 16.67, 4 is 66.67. A day is 250 wide.
    assert svg.one("polyline").attributes["points"] == "0,200 250.00,183.33 500.00,133.33"
    assert chart().rows == [("1 Nov", "$1.00", "$1.00"), ("2 Nov", "$3.00", "$4.00")]


def test_limit_pace_and_forecast_are_lines() -> None:
    svg = document(chart().svg).one("svg")
    assert svg.one("line", class_="ct-limit").attributes["y1"] == "66.67"  # 200 - 133.33
    pace = svg.one("line", class_="ct-pace").attributes
    assert (pace["y1"], pace["y2"]) == ("200", "66.67")
    ahead = svg.one("line", class_="ct-forecast-line").attributes
    assert (ahead["x1"], ahead["y1"], ahead["y2"]) == ("500.00", "133.33", "0.00")
    assert document(chart(None).svg).all("line", class_="ct-forecast-line") == []
