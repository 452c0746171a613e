"""Habit: what the days of a scope usually cost, by weekday, and how sure that is.

Three views of an ordinary week are mixed: last week as it was, the weekdays of four weeks at last week's level, and
those of eight weeks at the level of the last four. How much each of them counts is decided by how well it would have
foretold the weeks that have passed since. `docs/decisions/0019-forecast.md` says why, with its measured errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

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
VIEW_POWER = 4
"""Views count inversely to this power of what they have missed ..."""
NOBODY_IS_PERFECT = Decimal("0.02")
"""... and this part of what the worst has."""
CONTEXT = Context(prec=40, rounding=ROUND_HALF_EVEN)
_ZERO, _ONE = Decimal(0), Decimal(1)

Week = tuple[Decimal, ...]
"""A cost for each weekday."""


@dataclass(frozen=True, slots=True)
class Habit:
    """What the days of a scope cost, as far as its past tells."""

    weekdays: Week
    """What is expected of a Monday, a Tuesday ..."""
    noise: Decimal
    """The variance of one day about that."""
    drift: Decimal
    """The variance of the level: what is wrong with every day alike."""

    def deviation(self, reach: Decimal) -> Decimal:
        """The standard deviation of what `reach` days from now on cost together."""
        with localcontext(CONTEXT):
            # The level of a week is off by the drift; that of later weeks by more.
            weeks = max(_ONE, reach / WEEK)
            return (self.noise * reach + self.drift * reach * reach * weeks).sqrt()


class Past:
    """The complete days of a scope, at most DAYS_KNOWN and at least DAYS_NEEDED of them, up to the one before `today`.

    A day is named by its number, from 0; the number of days is `today`'s.
    """

    def __init__(self, history: Sequence[Decimal], *, today: date) -> None:
        self.days = tuple(history[-DAYS_KNOWN:])
        self.first = (today.weekday() - len(self.days)) % WEEK
        """The weekday of day 0."""
        self._weeks: dict[int, Week] = {}
        with localcontext(CONTEXT):
            starts = range(DAYS_NEEDED, len(self.days) + 1)
            self._views = {day: _views(self.days[:day], first=self.first) for day in starts}
            self._missed = {
                day: [abs(self._week_error(view, day)) for view in self._views[day]] for day in starts[:-WEEK]
            }

    def week_by(self, day: int) -> Week:
        """An ordinary week, as it was to be expected on that day, from DAYS_NEEDED on."""
        if day not in self._weeks:
            self._weeks[day] = _mix(self._views[day], self._weights_by(day))
        return self._weeks[day]

    def habit(self) -> Habit:
        """What is to be expected of today and the next days."""
        today = len(self.days)
        with localcontext(CONTEXT):
            week, tried = self.week_by(today), self._tried_by(today)
            if not tried:
                return _young(self.days, week)
            weights = self._weights_by(today)
            mixed = [(_mix(self._views[day], weights), day) for day in tried]
            one_day = _mean_square([self.days[day] - week[(self.first + day) % WEEK] for week, day in mixed])
            one_week = _mean_square([self._week_error(week, day) for week, day in mixed])
            # noise + drift = one_day, and 7 noise + 49 drift = one_week
            drift = max(one_day / LEVEL, min(one_day, (one_week - WEEK * one_day) / (WEEK * WEEK - WEEK)))
            return Habit(week, one_day - drift, drift)

    def _weights_by(self, day: int) -> list[Decimal]:
        """How much each view counts on that day, by the weeks that were over then."""
        missed = [sum((self._missed[one][view] for one in self._tried_by(day)), _ZERO) for view in range(len(VIEWS))]
        return weights_by(missed, power=VIEW_POWER, least=NOBODY_IS_PERFECT)

    @staticmethod
    def _tried_by(day: int) -> range:
        """The days whose weeks were over on that day."""
        return range(max(DAYS_NEEDED, day - WEEK - TRIED_ON + 1), day - WEEK + 1)

    def _week_error(self, week: Week, day: int) -> Decimal:
        """By how much the seven days from that one on cost more."""
        return sum(self.days[day : day + WEEK], _ZERO) - sum(week, _ZERO)


def weights_by(missed: Sequence[Decimal], *, power: int, least: Decimal) -> list[Decimal]:
    """Inversely to a power of what each has missed in sum: nearly all to the best, where one is; alike without any.

    `least` of the most that one has missed is added to each: so no weight is infinite.
    """
    worst = max(missed)
    if not worst:
        return [_ONE / len(missed)] * len(missed)
    raw = [_ONE / (one / worst + least) ** power for one in missed]
    return [one / sum(raw) for one in raw]


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


def _mix(views: Sequence[Week], weights: Sequence[Decimal]) -> Week:
    return tuple(sum((view[day] * by for view, by in zip(views, weights, strict=True)), _ZERO) for day in range(WEEK))


def _young(days: Sequence[Decimal], week: Week) -> Habit:
    """Of less than two weeks, in which nothing can be tried: by how much the days differ."""
    mean = sum(days, _ZERO) / len(days)
    noise = sum(((day - mean) ** 2 for day in days), _ZERO) / (len(days) - 1)
    return Habit(week, noise, noise / len(days))


def _mean_square(errors: Sequence[Decimal]) -> Decimal:
    return sum((error * error for error in errors), _ZERO) / len(errors)
