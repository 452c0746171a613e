"""The rates of one model over time, and which of them is in force at an instant."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time

from costtrack.pricing.priced_rate import PricedRate


class RateSeries:
    """Rates of one key but for the daily window, in the order of their beginning. Each holds until the next begins."""

    __slots__ = ("_rates", "_starts", "_windows")

    def __init__(self, rates: Iterable[PricedRate]) -> None:
        """Sort out all-day rates and those of each window."""
        by_window: dict[tuple[time, time], list[PricedRate]] = {}
        for rate in sorted(rates, key=lambda rate: rate.effective_from):
            key = (rate.window_start, rate.window_end) if rate.is_windowed else (time.min, time.min)
            by_window.setdefault(key, []).append(rate)
        self._rates = by_window.pop((time.min, time.min), [])
        self._starts = [rate.effective_from for rate in self._rates]
        self._windows = [(*window, own, [rate.effective_from for rate in own]) for window, own in by_window.items()]

    def rates(self) -> Iterator[PricedRate]:
        """All of them, those of daily windows last."""
        yield from self._rates
        for *_, own, _ in self._windows:
            yield from own

    @property
    def is_ended(self) -> bool:
        """The model is withdrawn at last, whatever it cost before."""
        return bool(self._rates) and self._rates[-1].is_withdrawn

    def at(self, instant: datetime) -> PricedRate | None:
        """The rate in force, a withdrawn one included; None before the first.

        A rate of a daily window that holds `instant` wins over the all-day one, the newest if several do; one that
        was withdrawn leaves the all-day rate.
        """
        if self._windows:
            clock = instant.astimezone(UTC).time()
            holding = [
                own[index - 1]
                for start, end, own, starts in self._windows
                if _holds(start, end, clock) and (index := bisect_right(starts, instant))
            ]
            standing = [rate for rate in holding if not rate.is_withdrawn]
            if standing:
                return max(standing, key=lambda rate: rate.effective_from)
        index = bisect_right(self._starts, instant)
        return self._rates[index - 1] if index else None


def _holds(start: time, end: time, clock: time) -> bool:
    """Whether the window `[start, end)` holds `clock`; it may lie past midnight."""
    return start <= clock < end if start < end else clock >= start or clock < end
