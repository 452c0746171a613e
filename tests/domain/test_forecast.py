"""What a period will have cost, by days that are worked out by hand."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from costtrack.domain.forecast import METHOD, Asked, Forecast, forecast_end
from costtrack.domain.habits import Habit, Past

MONDAY = date(2026, 11, 2)
NEXT_MONDAY = date(2026, 11, 9)
FIRST = date(2026, 12, 1)
ZERO = Decimal(0)


def usd(*amounts: str) -> list[Decimal]:
    return [Decimal(amount) for amount in amounts]


def foretold(history: list[Decimal], **said: object) -> Forecast:
    facts = {"today": MONDAY, "end": NEXT_MONDAY, "spent_before": ZERO, "spent_today": ZERO, "passed": ZERO, **said}
    facts = {"start": facts["today"], "share": facts["passed"], **facts}
    return forecast_end(history, **facts)  # type: ignore[arg-type]


def habit(history: list[Decimal]) -> Habit:
    return Past(history, today=MONDAY).habit()


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
        start=date(2026, 11, 1),
        today=date(2026, 11, 21),
        end=FIRST,
        spent_before=Decimal(200),
        spent_today=Decimal(5),
        passed=Decimal("0.5"),
    )
    # 205 + today's other half + 9 days of 10
    assert found.spent == 205
    assert found.expected == found.low == found.high == 300


def test_weekends_are_foretold_as_weekends() -> None:
    week = usd("10", "10", "10", "10", "10", "1", "1")
    # From Thursday on: 10 + 10 + 1 + 1, after Monday to Wednesday.
    found = foretold(week * 4 + week[:3], start=MONDAY, today=date(2026, 11, 5), spent_before=Decimal(30))
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
    found = foretold([Decimal(10)] * 7, end=day, spent_today=Decimal(5), passed=Decimal("0.25"))
    assert found.expected == Decimal("16.25")
    over = foretold([Decimal(10)] * 7, end=day, spent_today=Decimal(5), passed=Decimal(1))
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
    assert habit(([Decimal(1000)] * 100) + recent) == habit(recent)


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
    assert Decimal(98) < sum(habit((high + low) * 4).weekdays) < Decimal(105)


def test_weekdays_of_eight_weeks_are_remembered() -> None:
    # A week cost 28: on Mondays alone at first, for the last four weeks 4 a day. The slow view expects 16 of a
    # Monday, the others 4; alike that would be 8, and the slow one did better while it changed.
    found = habit(usd("28", "0", "0", "0", "0", "0", "0") * 4 + usd("4") * 28)
    assert Decimal(8) < found.weekdays[0] < Decimal(16)


def test_a_range_that_would_begin_below_what_is_spent_begins_there() -> None:
    # Mean 7, variance (6 x 7 x 7 + 42 x 42) / 6 = 343: 80 % of a normal distribution would begin far below 0.
    found = foretold(usd("0", "0", "0", "49", "0", "0", "0"), spent_before=Decimal(3))
    assert (found.expected, found.low) == (52, 3)


def test_the_three_ways_by_hand() -> None:
    # Two weeks that cost 1 to 7 by the weekday; it is Wednesday noon of the second, a quarter of a day is usually spent
    # by now, and 0.5 is, after 1 and 2.
    past = Past(usd("1", "2", "3", "4", "5", "6", "7") * 2, today=MONDAY)
    asked = Asked(before=2, later=4, passed=Decimal("0.5"), share=Decimal("0.25"))
    week = past.week_by(14)
    found = asked.rests(past, 14 - 5, week=week, so_far=Decimal("3.5"), today=Decimal("0.5"))
    assert found == [
        # 0.75 x (3 x (1 - 0.5) + 0.5 / 0.5) = 1.875; and 4 + 5 + 6 + 7
        Decimal("23.875"),
        # half of last Wednesday's 3, and the same days
        Decimal("23.5"),
        # 3.5 in two and a half days are 1.4 a day; four and a half are to come
        Decimal("6.3"),
    ]


def test_at_the_first_instant_of_a_period_there_is_no_run_rate() -> None:
    past = Past([Decimal(1)] * 14, today=MONDAY)
    asked = Asked(before=0, later=6, passed=ZERO, share=ZERO)
    assert asked.rests(past, 14, week=past.week_by(14), so_far=ZERO, today=ZERO) == [7, 7]


DAYS = usd("10", "0", "0", "4", "0") * 6
"""Which days cost something follows no weekday, and half of what they cost is spent by noon."""


@pytest.mark.parametrize("spent", ["0", "3"])
def test_the_way_counts_that_would_have_been_right(spent: str) -> None:
    # At noon of each of the last 28 days the run rate would have been right to the cent: twice what was spent.
    found = foretold(
        DAYS,
        end=date(2026, 11, 3),
        spent_today=Decimal(spent),
        passed=Decimal("0.5"),
        by_now=[day / 2 for day in DAYS[-28:]],
    )
    assert found.expected == 2 * Decimal(spent)


def test_of_fewer_than_fourteen_trials_none_decides() -> None:
    # Of 20 days the last 13 can be tried. Weekdays of 20 days differ from today's nothing by far.
    facts = {"end": date(2026, 11, 3), "passed": Decimal("0.5")}
    few = foretold(DAYS[-20:], by_now=[day / 2 for day in DAYS[-20:]], **facts)
    enough = foretold(DAYS[-21:], by_now=[day / 2 for day in DAYS[-21:]], **facts)
    assert few.expected is not None
    assert few.expected > Decimal("0.1")
    assert enough.expected == 0


def test_days_of_which_the_time_of_day_is_known_decide_where_there_are_enough() -> None:
    # By noon a half is spent on every second day, else nothing. Were all days tried by a half, the run rate would be
    # right to the cent, and say 8; on the days of which it is known it misses all of every second one.
    days = usd("10", "0", "0", "4", "0") * 8
    by_now = [day / 2 * (1 - number % 2) for number, day in enumerate(days)]

    def expected(known: int) -> Decimal:
        found = foretold(
            days,
            end=date(2026, 11, 3),
            spent_today=Decimal(4),
            passed=Decimal("0.5"),
            share=Decimal("0.5"),
            by_now=by_now[-known:],
        )
        assert found.expected is not None
        return found.expected

    assert expected(13) > Decimal("7.99")
    assert expected(14) < Decimal("7.9")


def test_the_longer_the_period_the_more_of_it_lies_before_the_days_that_are_tried() -> None:
    # 40 days, growing by 1 a day: 1, 2 ... 40. The month has 20 days before today, and 9 after: from day 20 to day 30
    # there are 11 trials, too few: the habit alone says what comes, as it does of a history of 27 days.
    history = [Decimal(day) for day in range(1, 41)]
    past = Past(history, today=MONDAY)
    week = past.week_by(40)
    said = {"start": date(2026, 10, 13), "end": date(2026, 11, 12), "spent_before": sum(history[20:])}
    found = foretold(history, **said)
    by_habit = sum((week[(past.first + 40 + ahead) % 7] for ahead in range(10)), ZERO)
    assert found.expected == (sum(history[20:]) + by_habit).quantize(Decimal("1e-12"))
