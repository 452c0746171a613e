"""Measuring two pieces of work side by side: short interleaved pairs, and the median of their pairwise ratios.

Single times vary by a factor of two on a shared machine; ratios of neighbours in time do not. Import it from a script
that is run as `python benchmarks/x.py`: `from timing import paired`.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Generic, TypeVar

LEAST_PAIRS = 11
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pairs:
    """Seconds per unit of work of both sides, pair by pair."""

    ours: tuple[float, ...]
    theirs: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """The median of ours / theirs over the pairs."""
        return median(own / other for own, other in zip(self.ours, self.theirs, strict=True))

    @property
    def spread(self) -> tuple[float, float]:
        """The smallest and the largest ratio."""
        ratios = [own / other for own, other in zip(self.ours, self.theirs, strict=True)]
        return min(ratios), max(ratios)


class MedianCall(Generic[T]):
    """A run that calls a function once per input, and whose figure is the median of the single calls, in seconds.

    A mean would tell more of the other threads than of the call.
    """

    def __init__(self, call: Callable[[T], object], inputs: Sequence[T]) -> None:
        """`call(one)` for each of `inputs`: many, and different, as they are in life."""
        self._call = call
        self._inputs = inputs
        self.slow: list[float] = []
        """The 99th percentile of each run."""

    def __call__(self) -> float:
        """Do it once; seconds."""
        call, clock, times = self._call, time.perf_counter, []
        for one in self._inputs:
            start = clock()
            call(one)
            times.append(clock() - start)
        times.sort()
        self.slow.append(times[len(times) * 99 // 100])
        return median(times)


def paired(
    ours: Callable[[], object],
    theirs: Callable[[], object],
    *,
    pairs: int = LEAST_PAIRS,
    units: tuple[int, int] = (1, 1),
    before_each: Callable[[], object] | None = None,
) -> Pairs:
    """Run both in turns, after one run of each that does not count; the order changes from pair to pair.

    `units` is how much work a run of ours and of theirs does: the faster side should do more, so that both take
    about as long. `before_each` (e.g. truncating a table) runs before every single run, outside the clock. A run that
    returns a float has measured itself, as a MedianCall does.
    """
    if pairs < LEAST_PAIRS:
        raise ValueError(f"{pairs} pairs are too few to trust; take at least {LEAST_PAIRS}.")
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    work = {"ours": ours, "theirs": theirs}
    for number in range(-1, pairs):
        for side in ("ours", "theirs") if number % 2 else ("theirs", "ours"):
            if before_each:
                before_each()
            seconds = _seconds(work[side])
            if number >= 0:
                times[side].append(seconds)
    return Pairs(tuple(run / units[0] for run in times["ours"]), tuple(run / units[1] for run in times["theirs"]))


def in_turns(ours: Callable[[], object], theirs: Callable[[], object], *, runs: int = LEAST_PAIRS, calls: int) -> Pairs:
    """Pairs as short as they can be: single calls in turns. A pair has the medians of a run of so many calls of each.

    For work of microseconds in calls of milliseconds: from one block of calls to the next a machine changes by more.
    """
    if runs < LEAST_PAIRS:
        raise ValueError(f"{runs} runs are too few to trust; take at least {LEAST_PAIRS}.")
    own, others = [], []
    clock = time.perf_counter
    for number in range(-1, runs):  # the first does not count
        gc.collect()
        gc.disable()
        try:
            times: tuple[list[float], list[float]] = ([], [])
            for _ in range(calls):
                for work, spent in zip((ours, theirs), times, strict=True):
                    start = clock()
                    work()
                    spent.append(clock() - start)
        finally:
            gc.enable()
        if number >= 0:
            own.append(median(times[0]))
            others.append(median(times[1]))
    return Pairs(tuple(own), tuple(others))


def _seconds(work: Callable[[], object]) -> float:
    gc.collect()
    gc.disable()
    try:
        start = time.perf_counter()
        figure = work()
        seconds = time.perf_counter() - start
        return figure if isinstance(figure, float) else seconds
    finally:
        gc.enable()


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns: the first to the left, the others to the right."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    lines = [
        "  ".join(cell.ljust(width) if not column else cell.rjust(width) for column, (cell, width) in enumerate(cells))
        for cells in (list(zip(row, widths, strict=True)) for row in (header, *rows))
    ]
    return "\n".join(line.rstrip() for line in lines)
