"""What a period will have cost at its end: learned from the days before, with a range, or said to be unknown.

Three ways are mixed: the scope's habit (`domain/habits.py`), with today by its usual share at this time of the day; the
run rate of the period so far; and that every day costs what its weekday did last. How much each counts is decided by
what it would have missed, asked at this time of each of the last days for as long a period.
`docs/decisions/0019-forecast.md` says why, with its measured errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext

from costtrack.domain.habits import CONTEXT, DAYS_NEEDED, WEEK, Past, Week, weights_by
from costtrack.domain.money import COST_PLACES

CLOCK_DAYS = 28
"""Of so many days it is asked what they had cost by this time of the day."""
TRIALS_NEEDED = 14
"""By fewer nothing is decided: then the habit counts alone."""
WAY_POWER = 6
"""Ways count inversely to this power of what they have missed."""
DEVIATIONS = Decimal("1.281552")
"""So many standard deviations either way hold 80 % of a normal distribution."""
METHOD = (
    "spent so far and the rest by three ways: the usual weekdays of up to 8 weeks, today by its usual share at this "
    "hour; the run rate; last week again; mixed by what each would have missed lately; range: 80 %"
)
"""How a forecast is made."""
_PLACES = Decimal(1).scaleb(-COST_PLACES)
_ZERO, _ONE, _LEAST = Decimal(0), Decimal(1), Decimal("1e-6")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Where in its period a forecast is asked for."""

    before: int
    """Complete days of the period."""
    later: int
    """Its days after today."""
    passed: Decimal
    """Of today, by the clock, from 0 to 1."""
    share: Decimal
    """Of a day's cost that is usually spent by now, from 0 to 1."""

    def rests(self, past: Past, day: int, *, week: Week, so_far: Decimal, today: Decimal) -> list[Decimal]:
        """What is still to come by each way, if it is asked on that day; `today` of `so_far` is the day's own."""
        weekday = past.first + day
        rests = [self._by_habit(week, weekday, today), self._by_last_week(past.days, day)]
        if clock := self.before + self.passed:
            rests.append(so_far * (self.later + _ONE - self.passed) / clock)  # at the period's first instant it is not
        return rests

    def _by_habit(self, week: Week, weekday: int, today: Decimal) -> Decimal:
        # The later in the day, the more today's own pace says: today / share is where it leads.
        trust = self.share.sqrt()
        leads_to = (_ONE - trust) * week[weekday % WEEK] + (today / trust if trust else _ZERO)
        next_days = sum((week[(weekday + ahead) % WEEK] for ahead in range(1, self.later + 1)), _ZERO)
        return (_ONE - self.share) * leads_to + next_days

    def _by_last_week(self, days: Sequence[Decimal], day: int) -> Decimal:
        last = days[day - WEEK : day]
        next_days = sum((last[ahead % WEEK] for ahead in range(1, self.later + 1)), _ZERO)
        return (_ONE - self.passed) * last[0] + next_days


def forecast_end(
    history: Sequence[Decimal],
    *,
    start: date,
    today: date,
    end: date,
    spent_before: Decimal,
    spent_today: Decimal,
    passed: Decimal,
    share: Decimal,
    by_now: Sequence[Decimal] = (),
) -> Forecast:
    """Where the period `[start, end)` that `today` is in will be at its end, by what the days before cost.

    `history` are complete days up to yesterday, in order, whatever their period. `spent_before` is the period's up to
    today. `passed`, from 0 to 1, of today is over by the clock, and `share` of a day's cost is usually spent by now;
    `by_now` is what the last of the complete days, at most CLOCK_DAYS of them, had cost by now, where that is known.
    """
    spent = CONTEXT.add(spent_before, spent_today)
    if len(history) < DAYS_NEEDED:
        method = f"not enough data: {len(history)} of {DAYS_NEEDED} complete days of history"
        return Forecast(spent=spent, expected=None, low=None, high=None, method=method)
    return forecast_by(
        Past(history, today=today),
        before=(today - start).days,
        later=(end - today).days - 1,
        passed=passed,
        share=share,
        spent=spent,
        spent_today=spent_today,
        by_now=by_now,
    )


def forecast_by(
    past: Past,
    *,
    before: int,
    later: int,
    passed: Decimal,
    share: Decimal,
    spent: Decimal,
    spent_today: Decimal,
    by_now: Sequence[Decimal],
) -> Forecast:
    """The same by days that are known: `before` complete ones of the period, `later` ones of it after today."""
    with localcontext(CONTEXT):
        known = tuple(by_now[-min(CLOCK_DAYS, len(past.days)) :])
        asked = Asked(before=before, later=later, passed=passed, share=share)
        habit = past.habit()
        rests = asked.rests(past, len(past.days), week=habit.weekdays, so_far=spent, today=spent_today)
        weights = _weights(past, asked, known, ways=len(rests))
        rest = sum((one * by for one, by in zip(rests, weights, strict=True)), _ZERO)
        expected = spent + rest
        reach = DEVIATIONS * habit.deviation(_ONE - share + later)
        low, high = min(max(spent, expected - reach), expected), expected + reach
        return Forecast(
            spent=spent,
            expected=expected.quantize(_PLACES),
            low=low.quantize(_PLACES),
            high=high.quantize(_PLACES),
            method=METHOD,
        )


def _weights(past: Past, asked: Asked, by_now: Sequence[Decimal], *, ways: int) -> list[Decimal]:
    """How much each way counts, by what it would have missed on the days from which as long a rest is over."""
    tried = range(max(DAYS_NEEDED, asked.before), len(past.days) - asked.later)
    # Where it is not known what a day had cost by this time its usual share is taken, which flatters the habit.
    first_known = len(past.days) - len(by_now)
    if len(tried[max(0, first_known - tried.start) :]) >= TRIALS_NEEDED:
        tried = tried[max(0, first_known - tried.start) :]
    if len(tried) < TRIALS_NEEDED:
        return [_ONE] + [_ZERO] * (ways - 1)
    missed = [_ZERO] * ways
    for day in tried:
        today = by_now[day - first_known] if day >= first_known else asked.share * past.days[day]
        so_far = sum(past.days[day - asked.before : day], today)
        came = sum(past.days[day : day + asked.later + 1], -today)
        rests = asked.rests(past, day, week=past.week_by(day), so_far=so_far, today=today)
        missed = [sum_so_far + abs(rest - came) for sum_so_far, rest in zip(missed, rests, strict=True)]
    return weights_by(missed, power=WAY_POWER, least=_LEAST)
