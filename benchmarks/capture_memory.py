"""The memory of a process that meters thousands of events a second for minutes; a part of capture.py."""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

MOST_MIB_PER_MINUTE = 1.0
LEAST_OF_RATE = 0.99
TICK_SECONDS = 0.01
DRAIN_SECONDS = 120


@dataclass(slots=True)
class Samples:
    """Resident memory in MiB, with the second at which each was read."""

    seconds: list[float] = field(default_factory=list)
    mib: list[float] = field(default_factory=list)

    def add(self, second: float) -> None:
        """Read it now."""
        self.seconds.append(second)
        self.mib.append(_resident_mib())

    def slope_per_minute(self) -> float:
        """MiB a minute, by least squares."""
        count = len(self.seconds)
        middle, level = sum(self.seconds) / count, sum(self.mib) / count
        spread = sum((second - middle) ** 2 for second in self.seconds)
        both = sum((second - middle) * (mib - level) for second, mib in zip(self.seconds, self.mib, strict=True))
        return 60 * both / spread


def is_memory_flat(calls: Sequence[dict[str, Any]], *, minutes: float, warm_up: float, rate: int) -> bool:
    """Meter `rate` events a second by `record_usage` for so long, and print what became of the memory."""
    from costtrack.metering import spool
    from costtrack.models import ResourceUsage

    spool.flush(DRAIN_SECONDS)
    rows_before = ResourceUsage.objects.count()
    samples, backlogs = Samples(), [0]
    done, seconds = _meter(calls, samples, backlogs, warm_up=warm_up, seconds=warm_up + 60 * minutes, rate=rate)
    backlogs.append(_backlog())
    is_drained = spool.flush(DRAIN_SECONDS)
    booked = ResourceUsage.objects.count() - rows_before
    slope = samples.slope_per_minute()
    is_fast, is_flat = done >= LEAST_OF_RATE * rate * seconds, slope <= MOST_MIB_PER_MINUTE
    is_whole = booked == done or not is_drained
    rest = "" if is_drained else f", the others are still in the spool {DRAIN_SECONDS} s later"
    print(f"Memory over {minutes:g} minutes after {warm_up:g} s of warming up, RSS read {len(samples.mib)} times:")
    print(f"  rate     {done / seconds:,.0f} events/s, of {rate:,} wanted  {_verdict(is_fast)}")
    print(
        f"  memory   {samples.mib[0]:.1f} MiB at the beginning, {samples.mib[-1]:.1f} at the end, "
        f"slope {slope:+.2f} MiB/minute (<= {MOST_MIB_PER_MINUTE:g})  {_verdict(is_flat)}"
    )
    print(f"  backlog  {backlogs[-1]:,} events in the spool at the end, {max(backlogs):,} at most")
    print(f"  ledger   {booked:,} of {done:,} events{rest}  {_verdict(is_whole)}")
    return is_fast and is_flat and is_whole


def _meter(
    calls: Sequence[dict[str, Any]],
    samples: Samples,
    backlogs: list[int],
    *,
    warm_up: float,
    seconds: float,
    rate: int,
) -> tuple[int, float]:
    """Events metered, and the seconds that took; whoever was held up catches up."""
    from costtrack import record_usage

    endless = itertools.cycle(calls)
    done, next_sample = 0, warm_up
    began = time.perf_counter()
    while (now := time.perf_counter() - began) < seconds:
        for call in itertools.islice(endless, max(0, int(now * rate) - done)):
            record_usage(**call)
            done += 1
        if now >= next_sample:
            next_sample += 1
            samples.add(now)
            backlogs.append(_backlog())
            _show(f"{now:5.0f} s  {done / now:,.0f} events/s  {samples.mib[-1]:.1f} MiB  backlog {backlogs[-1]:,}")
        time.sleep(TICK_SECONDS)
    _show("")
    return done, time.perf_counter() - began


def _verdict(is_met: bool) -> str:
    return "met" if is_met else "MISSED"


def _backlog() -> int:
    from costtrack.metering import spool

    running = spool.running()
    return running.appender.spooled - running.appender.booked if running else 0


def _resident_mib() -> float:
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _show(text: str) -> None:
    """Progress, in one line, for a person who waits."""
    if sys.stdout.isatty():
        print(f"\r{text:<78}", end="" if text else "\r", flush=True)
