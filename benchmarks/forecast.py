"""Back-tests the forecast against two naive ones: the run rate, and the same weekday of last week.

Run `python benchmarks/forecast.py`, with `--data FOLDER` also on real traffic: the hours of two Azure services of the
Azure Public Dataset (`azure_llm_2023_conv.csv`, `azure_llm_2023_code.csv`), in which a minute, and then a quarter of
one, stands for a day. The forecast is made as at 6, 12 and 18 o'clock of each day (of weeks and months at 12), knowing
nothing of what comes after, and the error is the sum of what it misses by, by the sum of what there was. `--seeds N`
makes the seeded series from other seeds on, which no choice was made by.

Exits 1 when ours is worse than the better of the two by more than 5 %, in any period, for any single series.
"""

from __future__ import annotations

import argparse
import csv
import math
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from timing import table

from costtrack.domain.forecast import CLOCK_DAYS, Forecast, forecast_by
from costtrack.domain.habits import WEEK, Past

BAR = Decimal("1.05")
SEEDS, LENGTH, LEARNING = 4, 182, 56
HOURS = 24
PERIODS = {"day": 1, "week": 7, "month": 30}
ASKED_AT = {"day": (6, 12, 18), "week": (12,), "month": (12,)}
MONDAY = date(2024, 1, 1)
OFFICE = [1] * 7 + [5, 15] + [30] * 9 + [15, 8] + [3] * 4
NIGHT = [0, 0, 80, 80, 10] + [1] * 19
FLAT = [1] * HOURS
USD_PER_MILLION = (Decimal("2.5"), Decimal(10))
"""What a call of the real series costs: input, output."""
ONE = Decimal(1)

Day = list[Decimal]
"""What each hour of a day cost."""


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="of the real series; without it they are left out")
    parser.add_argument("--seeds", type=int, default=0, metavar="N", help="the first of the seeds (default 0)")
    options = parser.parse_args()
    folder, seeds = options.data, range(options.seeds, options.seeds + SEEDS)
    groups: dict[str, Mapping[str, Sequence[list[Day]]]] = {
        "seeded": {name: [seeded(name, make, seed) for seed in seeds] for name, make in SERIES.items()}
    }
    if folder is not None:
        groups["real"] = dict(real(folder))
    is_met = True
    for group, series in groups.items():
        scores = {name: scores_of(ones) for name, ones in series.items()}
        for period in PERIODS:
            rows = [(name, *_cells(scores[name][period])) for name in series]
            whole = together([scores[name][period] for name in series])
            missed = [name for name in series if scores[name][period].ratio > BAR]
            is_met &= not missed
            verdict = f"{len(missed)} MISSED" if missed else "met"
            print(f"\nTo the end of the {period}, {group} series: error in %")
            header = ("", "ours", "run rate", "same weekday", "ratio", "in the 80 % range", "forecasts", "")
            print(table(header, [*rows, ("all alike", *_cells(whole)[:-1], f"each <= {BAR}: {verdict}")]))
    return 0 if is_met else 1


@dataclass
class Score:
    """What was missed in sum, by each method, and what there was."""

    ours: Decimal = Decimal(0)
    run_rate: Decimal = Decimal(0)
    weekday: Decimal = Decimal(0)
    whole: Decimal = Decimal(0)
    held: Decimal = Decimal(0)
    """How often the range held the outcome."""
    count: int = 0

    @property
    def ratio(self) -> Decimal:
        """Ours by the better baseline."""
        return self.ours / min(self.run_rate, self.weekday)


@dataclass(frozen=True)
class Asked:
    """What is known when a forecast is made."""

    days: Sequence[Decimal] = field(repr=False)
    """The costs of the days that are over."""
    before: Sequence[Decimal]
    """Those of them that are of the period."""
    spent: Decimal
    """Today's."""
    passed: Decimal
    """Of today, by the clock."""
    later: int
    """Days of the period after today."""


def run_rate(asked: Asked) -> Decimal:
    """What the period has cost, by the share of it that has passed."""
    so_far = sum(asked.before, asked.spent)
    return so_far * (len(asked.before) + 1 + asked.later) / (len(asked.before) + asked.passed)


def same_weekday(asked: Asked) -> Decimal:
    """Every day that is to come will cost what that weekday did last; so will the rest of today."""
    rest = [asked.days[-WEEK + ahead % WEEK] for ahead in range(asked.later + 1)]
    return sum(asked.before, asked.spent) + rest[0] * (ONE - asked.passed) + sum(rest[1:], Decimal(0))


def scores_of(series: Sequence[list[Day]]) -> dict[str, Score]:
    """By the period."""
    scores = {period: Score() for period in PERIODS}
    for days in series:
        costs = [sum(day, Decimal(0)) for day in days]
        for today in range(min(LEARNING, len(days) // 4), len(days)):
            past = Past(costs[:today], today=MONDAY + timedelta(days=today))
            for period, length in PERIODS.items():
                start = today - today % length
                if start + length > len(days):
                    continue
                actual = sum(costs[start : start + length], Decimal(0))
                for hour in ASKED_AT[period]:
                    later = start + length - today - 1
                    spent = sum(days[today][:hour], Decimal(0))
                    asked = Asked(costs[:today], costs[start:today], spent, Decimal(hour) / HOURS, later)
                    known = days[max(0, today - CLOCK_DAYS) : today]
                    ours = forecast_by(
                        past,
                        before=today - start,
                        later=later,
                        passed=asked.passed,
                        share=_share(known, hour),
                        spent=sum(asked.before, spent),
                        spent_today=spent,
                        by_now=[sum(day[:hour], Decimal(0)) for day in known],
                    )
                    _note(scores[period], asked, actual, ours)
    return scores


def _note(score: Score, asked: Asked, actual: Decimal, ours: Forecast) -> None:
    assert ours.expected is not None
    assert ours.low is not None
    assert ours.high is not None
    score.ours += abs(ours.expected - actual)
    score.run_rate += abs(run_rate(asked) - actual)
    score.weekday += abs(same_weekday(asked) - actual)
    score.whole += actual
    score.count += 1
    score.held += ours.low <= actual <= ours.high


def _share(days: Sequence[Day], hour: int) -> Decimal:
    whole = sum((sum(day, Decimal(0)) for day in days), Decimal(0))
    before = sum((sum(day[:hour], Decimal(0)) for day in days), Decimal(0))
    return before / whole if whole else Decimal(hour) / HOURS


def together(scores: Sequence[Score]) -> Score:
    """All series alike, however much they cost: errors are parts of what each series cost."""
    whole = Score()
    for one in scores:
        whole.ours += one.ours / one.whole
        whole.run_rate += one.run_rate / one.whole
        whole.weekday += one.weekday / one.whole
        whole.whole += 1
        whole.held += one.held / one.count
        whole.count += 1
    return whole


def _cells(score: Score) -> tuple[str, ...]:
    errors = (f"{100 * one / score.whole:.2f}" for one in (score.ours, score.run_rate, score.weekday))
    mark = "MISSED" if score.ratio > BAR else ""
    return (*errors, f"{score.ratio:.3f}", f"{100 * score.held / score.count:.0f} %", str(score.count), mark)


Level = Callable[[int, random.Random], float]
"""Of a day, by its number and by chance."""


def _weekend(low: float) -> Level:
    return lambda day, chance: low if day % WEEK >= 5 else 1


class _Walk:
    """A level that goes up or down by about 10 % each day, from where it is."""

    def __init__(self) -> None:
        self.level = 1.0

    def __call__(self, day: int, chance: random.Random) -> float:
        self.level = math.exp(chance.gauss(0, 0.1)) * (self.level if day else 1.0)
        return self.level


SERIES: dict[str, tuple[list[int], Level, float]] = {
    "flat": (FLAT, lambda day, chance: 1, 0.2),
    "office hours": (OFFICE, _weekend(0.15), 0.2),
    "growing 1 % a day": (OFFICE, lambda day, chance: 1.01**day * _weekend(0.3)(day, chance), 0.2),
    "shrinking 1 % a day": (OFFICE, lambda day, chance: 0.99**day * _weekend(0.3)(day, chance), 0.2),
    "three times as much": (
        OFFICE,
        lambda day, chance: (1 + 2 * (day >= LENGTH // 2)) * _weekend(0.3)(day, chance),
        0.2,
    ),
    "rare dear days": (OFFICE, lambda day, chance: 8 if chance.random() < 0.05 else 1, 0.3),
    "bursty": (OFFICE, lambda day, chance: 1, 1.0),
    "a nightly job": (NIGHT, lambda day, chance: 1, 0.1),
    "a job on Mondays": (NIGHT, lambda day, chance: 1 if day % WEEK == 0 else 0.02, 0.2),
    "a third of the days": (OFFICE, lambda day, chance: float(chance.random() < 0.3), 0.2),
    "a random walk": (OFFICE, _Walk(), 0.1),
    "two dear days a month": (OFFICE, lambda day, chance: 4 if day % 30 < 2 else 1, 0.2),
}
"""The hours, the days, and how much chance there is in them."""


def seeded(name: str, made_of: tuple[list[int], Level, float], seed: int) -> list[Day]:
    """Days of about 100 dollars, in whole micro-dollars."""
    hours, level, sigma = made_of
    chance = random.Random(f"{name} {seed}")
    days = []
    for day in range(LENGTH):
        dollars = 100 * level(day, chance) * math.exp(chance.gauss(0, sigma) - sigma * sigma / 2)
        shares = [weight * math.exp(chance.gauss(0, 0.4)) for weight in hours]
        days.append([Decimal(round(1e6 * dollars * share / sum(shares))) / 1_000_000 for share in shares])
    return days


def real(folder: Path) -> Iterator[tuple[str, list[list[Day]]]]:
    """The hour of each service, in minutes and in quarters of one."""
    for service in ("conv", "code"):
        calls = list(_calls(folder / f"azure_llm_2023_{service}.csv"))
        for seconds in (60, 15):
            yield f"{service}, a day is {seconds} s", [_in_days(calls, length=timedelta(seconds=seconds))]


def _calls(path: Path) -> Iterator[tuple[datetime, Decimal]]:
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            tokens = (int(row["ContextTokens"]), int(row["GeneratedTokens"]))
            cost = sum((count * price for count, price in zip(tokens, USD_PER_MILLION, strict=True)), Decimal(0))
            yield datetime.fromisoformat(row["TIMESTAMP"][:26]), cost / 1_000_000


def _in_days(calls: Sequence[tuple[datetime, Decimal]], *, length: timedelta) -> list[Day]:
    """Whole days only."""
    first = calls[0][0]
    days = [[Decimal(0)] * HOURS for _ in range((calls[-1][0] - first) // length)]
    for at, cost in calls:
        number, within = divmod(at - first, length)
        if number < len(days):
            days[number][within * HOURS // length] += cost
    return days


if __name__ == "__main__":
    sys.exit(main())
