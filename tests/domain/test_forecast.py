"""What a period will have cost, by days that are worked out by hand."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from costtrack.domain.forecast import METHOD, Forecast, forecast_end, habit_of

MONDAY = date(2026, 11, 2)
NEXT_MONDAY = date(2026, 11, 9)
FIRST = date(2026, 12, 1)
ZERO = Decimal(0)


def usd(*amounts: str) -> list[Decimal]:
    return [Decimal(amount) for amount in amounts]


def foretold(history: list[Decimal], **said: object) -> Forecast:
    facts = {"today": MONDAY, "end": NEXT_MONDAY, "spent_before": ZERO, "spent_today": ZERO, "share": ZERO, **said}
    return forecast_end(history, **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize("days", [0, 1, 6])
def test_below_seven_days_there_is_not_enough_data(days: int) -> None:
    assert foretold([Decimal(5)] * days, spent_before=Decimal(2), spent_today=Decimal("0.5")) == Forecast(
        spent=Decimal("2.5"),
        expected=None,
        low=None,
        high=None,
        method=f"not enough data: {days} of 7 complete days of history",
    )


def test_seven_days_are_enough() -> None:
    found = foretold([Decimal(5)] * 7)
    assert (found.enough_data, found.expected, found.method) == (True, Decimal(35), METHOD)


def test_equal_days_go_on_without_any_doubt() -> None:
    # 20 days of 10 are over, and half of today, of which 5 are spent: its usual half, so its pace leads to 10, too.
    found = foretold(
        [Decimal(10)] * 56,
        today=date(2026, 11, 21),
        end=FIRST,
        spent_before=Decimal(200),
        spent_today=Decimal(5),
        share=Decimal("0.5"),
    )
    # 205 + today's other half + 9 days of 10
    assert found.spent == 205
    assert found.expected == found.low == found.high == 300


def test_weekends_are_foretold_as_weekends() -> None:
    week = usd("10", "10", "10", "10", "10", "1", "1")
    # From Thursday on: 10 + 10 + 1 + 1, after Monday to Wednesday.
    found = foretold(week * 4 + week[:3], today=date(2026, 11, 5), spent_before=Decimal(30))
    assert found.expected == 52


def test_the_level_follows_the_last_week() -> None:
    # It doubled a week ago: two of the three views say 140, the slow one less; a month later all say 140.
    low, high = [Decimal(10)] * 7, [Decimal(20)] * 7
    found = foretold(low * 7 + high)
    assert found.expected is not None
    assert Decimal(110) < found.expected < Decimal(140)
    assert foretold(low * 4 + high * 4).expected > Decimal("139")  # type: ignore[operator]


def test_the_later_in_the_day_the_more_the_day_itself_says() -> None:
    # Usually 10 a day, a quarter of it by now, of which 5 are spent. Its own pace leads to 5 / 0.25 = 20 and counts
    # sqrt(0.25) = a half: (10 + 20) / 2 = 15, of which three quarters, 11.25, are to come.
    day = date(2026, 11, 3)
    found = foretold([Decimal(10)] * 7, end=day, spent_today=Decimal(5), share=Decimal("0.25"))
    assert found.expected == Decimal("16.25")
    over = foretold([Decimal(10)] * 7, end=day, spent_today=Decimal(5), share=Decimal(1))
    assert (over.expected, over.low, over.high) == (5, 5, 5)


def test_the_range_is_eighty_percent_of_a_normal_distribution() -> None:
    # Seven days of 7 +- 1 but one of 7: mean 7, six squares of 1 by 7 - 1 = variance 1, of the level 1 / 7.
    # A week: 7 x 1 + 49 x 1 / 7 = 14; sqrt(14) = 3.741657386774; x 1.281552 = 4.795128507335.
    found = foretold(usd("6", "8", "6", "8", "6", "8", "7"))
    assert found.expected == 49
    assert found.low == Decimal("44.204871492665")
    assert found.high == Decimal("53.795128507335")


def test_nothing_spent_is_nothing_expected() -> None:
    found = foretold([ZERO] * 30)
    assert (found.enough_data, found.expected, found.low, found.high) == (True, 0, 0, 0)


def test_a_scope_that_has_come_to_rest_is_expected_to_rest() -> None:
    found = foretold([Decimal(9)] * 28 + [ZERO] * 28)
    assert found.expected is not None
    assert found.expected < Decimal("0.01")


def test_days_before_the_last_eight_weeks_say_nothing() -> None:
    recent = usd("1", "2", "3", "4", "5", "6", "7") * 8
    assert habit_of([Decimal(1000)] * 100 + recent, today=MONDAY) == habit_of(recent, today=MONDAY)


def test_the_range_grows_with_the_weeks_that_are_to_come() -> None:
    # As above, noise 1 and drift 1 / 7, but two weeks: 14 x 1 + 14 x 14 / 7 x 2 weeks = 70;
    # sqrt(70) = 8.366600265341; x 1.281552 = 10.722233303248.
    found = foretold(usd("6", "8", "6", "8", "6", "8", "7"), end=date(2026, 11, 16))
    assert (found.expected, found.low) == (98, Decimal("87.277766696752"))


def test_two_weeks_show_what_would_have_been_missed() -> None:
    # The first week foretold 10 a day; the second began with 13: missed 3 on its first day, and 3 in the week.
    # Drift: at least 9 / 14; noise the rest, 9 - 9 / 14. A week: 7 x (9 - 9 / 14) + 49 x 9 / 14 = 90;
    # sqrt(90) = 9.486832980505; x 1.281552 = 12.157869779832.
    # Expected: last week, 73; two weeks' weekdays at last week's level, 73; at that of both weeks, 71.5; alike: 72.5.
    found = foretold(usd("10") * 7 + usd("13", "10", "10", "10", "10", "10", "10"))
    assert (found.expected, found.high) == (Decimal("72.5"), Decimal("84.657869779832"))


def test_what_would_have_foretold_best_counts_most() -> None:
    # Weeks of 70 and 140 in turn: last week's level is wrong each time, that of four weeks (105) half as much. After
    # a week of 70 the first two views say 70; alike they would make 81.67, by how well they did it is near 105.
    low, high = [Decimal(10)] * 7, [Decimal(20)] * 7
    found = foretold((high + low) * 4)
    assert found.expected is not None
    assert Decimal(98) < found.expected < Decimal(105)


def test_weekdays_of_eight_weeks_are_remembered() -> None:
    # A week cost 28: on Mondays alone at first, for the last four weeks 4 a day. The slow view expects 16 of a
    # Monday, the others 4; alike that would be 8, and the slow one did better while it changed.
    found = foretold(usd("28", "0", "0", "0", "0", "0", "0") * 4 + usd("4") * 28, end=date(2026, 11, 3))
    assert found.expected is not None
    assert Decimal(8) < found.expected < Decimal(16)


def test_a_range_that_would_begin_below_what_is_spent_begins_there() -> None:
    # Mean 7, variance (6 x 7 x 7 + 42 x 42) / 6 = 343: 80 % of a normal distribution would begin far below 0.
    found = foretold(usd("0", "0", "0", "49", "0", "0", "0"), spent_before=Decimal(3))
    assert (found.expected, found.low) == (52, 3)
