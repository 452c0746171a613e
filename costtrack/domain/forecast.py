"""What a period will have cost at its end: learned from the days before, with a range, or said to be unknown.

Three views of an ordinary week are mixed: last week as it was, the weekdays of four weeks at last week's level, and
those of eight weeks at the level of the last four. How much each of them counts is decided by how well it would have
foretold the weeks that have passed since. `docs/decisions/0019-forecast.md` says why, with its measured errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

from costtrack.domain.money import COST_PLACES

DAYS_NEEDED = 7
"""With fewer complete days nothing is foretold."""
DAYS_KNOWN = 56
"""Older days say nothing of the next ones."""
WEEK = 7
VIEWS = ((1, 1), (4, 1), (8, 4))
"""Weeks whose weekdays are compared, and weeks whose level is taken."""
TRIED_ON = 28
"""The views are compared by the weeks that begin on each of at most so many days."""
LEVEL = 14
"""A level is the mean of about so many days: that far it is unsure even where nothing drifts."""
DEVIATIONS = Decimal("1.281552")
"""So many standard deviations either way hold 80 % of a normal distribution."""
METHOD = (
    "spent so far and the usual rest: weekdays of up to 8 weeks, mixed by how well they would have foretold the last "
    "4; today by its usual share at this hour; range: 80 %"
)
"""How a forecast is made."""
_PLACES = Decimal(1).scaleb(-COST_PLACES)
_CONTEXT = Context(prec=40, rounding=ROUND_HALF_EVEN)
_ZERO, _ONE = Decimal(0), Decimal(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Amounts at the period's end. Of expected, low and high all are None, or none is."""

    spent: Decimal
    """So far."""
    expected: Decimal | None
    """What is spent so far included; None: not enough data."""
    low: Decimal | None
    """Four of five periods should end from here ..."""
    high: Decimal | None
    """... to here."""
    method: str
    """How it is made, in words; or why there is none."""

    @property
    def enough_data(self) -> bool:
        """Whether there is a forecast."""
        return self.expected is not None


@dataclass(frozen=True, slots=True)
class Habit:
    """What the days of a scope cost, as far as its past tells."""

    weekdays: tuple[Decimal, ...]
    """What is expected of a Monday, a Tuesday ..."""
    noise: Decimal
    """The variance of one day about that."""
    drift: Decimal
    """The variance of the level: what is wrong with every day alike."""

    def rest_of(self, today: date, *, end: date, spent: Decimal, share: Decimal) -> tuple[Decimal, Decimal]:
        """What `today` from now on and the days up to `end` will cost, and the standard deviation of that.

        `spent` is today's; `share` of a day's cost is usually spent by now.
        """
        usual, days = self.weekdays[today.weekday()], (end - today).days - 1
        with localcontext(_CONTEXT):
            # The later in the day, the more today's own pace says: spent / share is where it leads.
            trust = share.sqrt()
            leads_to = (_ONE - trust) * usual + (spent / trust if trust else _ZERO)
            left = _ONE - share
            later = sum((self.weekdays[(today.weekday() + ahead) % WEEK] for ahead in range(1, days + 1)), _ZERO)
            reach = left + days
            # The level of a week is off by the drift; that of later weeks by more.
            weeks = max(_ONE, reach / WEEK)
            return left * leads_to + later, (self.noise * reach + self.drift * reach * reach * weeks).sqrt()


def habit_of(history: Sequence[Decimal], *, today: date) -> Habit:
    """What days cost: `history` is at least DAYS_NEEDED complete days, in order, up to the one before `today`."""
    days = list(history[-DAYS_KNOWN:])
    first = (today.weekday() - len(days)) % WEEK
    tried = range(max(DAYS_NEEDED, len(days) - WEEK - TRIED_ON + 1), len(days) - WEEK + 1)
    with localcontext(_CONTEXT):
        views = _views(days, first=first)
        if not tried:
            return _young(days, views)
        past = [(_views(days[:start], first=first), start) for start in tried]
        missed = [
            sum((abs(_week_error(known[number], days, start)) for known, start in past), _ZERO)
            for number in range(len(VIEWS))
        ]
        weights = _weights(missed)
        mixed = [(_mix(known, weights), start) for known, start in past]
        one_day = _mean_square([days[start] - week[(first + start) % WEEK] for week, start in mixed])
        one_week = _mean_square([_week_error(week, days, start) for week, start in mixed])
        # noise + drift = one_day, and 7 noise + 49 drift = one_week
        drift = max(one_day / LEVEL, min(one_day, (one_week - WEEK * one_day) / (WEEK * WEEK - WEEK)))
        return Habit(_mix(views, weights), one_day - drift, drift)


def forecast_end(
    history: Sequence[Decimal], *, today: date, end: date, spent_before: Decimal, spent_today: Decimal, share: Decimal
) -> Forecast:
    """Where the period that `today` is in will be at `end` (exclusive), by what the days before cost.

    `spent_before` is the period's up to today. `share`, from 0 to 1, of a day's cost is usually spent by this time.
    """
    with localcontext(_CONTEXT):
        spent = spent_before + spent_today
    if len(history) < DAYS_NEEDED:
        method = f"not enough data: {len(history)} of {DAYS_NEEDED} complete days of history"
        return Forecast(spent=spent, expected=None, low=None, high=None, method=method)
    habit = habit_of(history, today=today)
    rest, deviation = habit.rest_of(today, end=end, spent=spent_today, share=share)
    with localcontext(_CONTEXT):
        expected = spent + rest
        reach = DEVIATIONS * deviation
        low, high = min(max(spent, expected - reach), expected), expected + reach
        return Forecast(
            spent=spent,
            expected=expected.quantize(_PLACES),
            low=low.quantize(_PLACES),
            high=high.quantize(_PLACES),
            method=METHOD,
        )


Week = tuple[Decimal, ...]
"""A cost for each weekday."""


def _views(days: Sequence[Decimal], *, first: int) -> list[Week]:
    return [_view(days, first=first, compared=compared, level=level) for compared, level in VIEWS]


def _view(days: Sequence[Decimal], *, first: int, compared: int, level: int) -> Week:
    """The weekdays' means over `compared` weeks, scaled to what the last `level` weeks cost."""
    means = _weekday_means(days[-compared * WEEK :], ends=(first + len(days)) % WEEK)
    recent = days[-level * WEEK :]
    start = first + len(days) - len(recent)
    would_have = sum((means[(start + number) % WEEK] for number in range(len(recent))), _ZERO)
    if not would_have:
        return means
    scale = sum(recent, _ZERO) / would_have
    return tuple(mean * scale for mean in means)


def _weekday_means(days: Sequence[Decimal], *, ends: int) -> Week:
    """At least a week of days, the last of them before the weekday `ends`."""
    means = [_ZERO] * WEEK
    for back in range(1, WEEK + 1):
        same = days[-back::-WEEK]
        means[(ends - back) % WEEK] = sum(same, _ZERO) / len(same)
    return tuple(means)


def _week_error(week: Week, days: Sequence[Decimal], start: int) -> Decimal:
    """By how much the seven days from `start` on cost more than that."""
    return sum(days[start : start + WEEK], _ZERO) - sum(week, _ZERO)


def _weights(missed: Sequence[Decimal]) -> list[Decimal]:
    """Inversely to the fourth power of what each has missed in sum: nearly all to the best, where one is."""
    worst = max(missed)
    if not worst:
        return [_ONE / len(missed)] * len(missed)
    least = Decimal("0.02")  # nobody is perfect: so that no weight is infinite
    raw = [_ONE / (one / worst + least) ** 4 for one in missed]
    return [one / sum(raw) for one in raw]


def _mix(views: Sequence[Week], weights: Sequence[Decimal]) -> Week:
    return tuple(sum((view[day] * by for view, by in zip(views, weights, strict=True)), _ZERO) for day in range(WEEK))


def _young(days: Sequence[Decimal], views: Sequence[Week]) -> Habit:
    """Of less than two weeks, in which nothing can be tried: the views alike, and how much the days differ."""
    mean = sum(days, _ZERO) / len(days)
    noise = sum(((day - mean) ** 2 for day in days), _ZERO) / (len(days) - 1)
    return Habit(_mix(views, _weights([_ZERO] * len(views))), noise, noise / len(days))


def _mean_square(errors: Sequence[Decimal]) -> Decimal:
    return sum((error * error for error in errors), _ZERO) / len(errors)
