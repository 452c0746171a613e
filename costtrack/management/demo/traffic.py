"""The demo's traffic: how much happens when, and playing it through the meters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from django.db import transaction

from costtrack import attribute
from costtrack.conf import settings
from costtrack.domain.periods import DayRange, start_of_day
from costtrack.management.demo.moment import Moment
from costtrack.management.demo.workload import Workload
from costtrack.management.demo.world import ORGANIZATIONS, DemoOrganization

GROWTH = (70, 130)
"""Percent of the usual at the beginning and at the end."""
SO_FAR_PERCENT = 50
"""How much of a day's traffic today has had. Fixed, so that the figures do not depend on the hour."""
SATURDAY = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """A moment, who acts in it, and for whom."""

    moment: Moment
    workload: Workload
    organization: DemoOrganization


def days_until(today: date, *, days: int) -> DayRange:
    """The last `days` days, today included."""
    return DayRange(today - timedelta(days=days - 1), today + timedelta(days=1))


def play(days: DayRange, *, seed: int, now: datetime, using: str, on_day: Callable[[date], None]) -> None:
    """Meter all traffic of those days, the last of which is today, in the order of time.

    Inline, that is a transaction a day; the spool's flusher has transactions of its own.
    """
    for day in days.days():
        on_day(day)
        with transaction.atomic(using=using) if settings.is_inline() else nullcontext():
            for occasion in occasions_of(day, days=days, seed=seed, now=now):
                _act(occasion)


def occasions_of(day: date, *, days: DayRange, seed: int, now: datetime) -> list[Occasion]:
    """What happens on a local day of each organization, in the order of time."""
    found = [
        Occasion(moment=moment, workload=workload, organization=organization)
        for organization in ORGANIZATIONS
        for number, workload in enumerate(organization.workloads)
        for moment in _moments(organization, number, workload, day=day, days=days, seed=seed, now=now)
    ]
    return sorted(found, key=lambda occasion: occasion.moment.at)


def sprint_of(day: date) -> str:
    """Two weeks have one sprint: 2026-S24."""
    year, week, _ = day.isocalendar()
    return f"{year}-S{(week + 1) // 2:02d}"


def _act(occasion: Occasion) -> None:
    organization, workload, moment = occasion.organization, occasion.workload, occasion.moment
    with attribute(
        organization=organization.slug,
        project=workload.project,
        agent=workload.agent,
        sprint=sprint_of(moment.day),
        tags={"team": organization.team, "env": "production"},
    ):
        workload.act(moment)


def _moments(
    organization: DemoOrganization,
    number: int,
    workload: Workload,
    *,
    day: date,
    days: DayRange,
    seed: int,
    now: datetime,
) -> Iterator[Moment]:
    zone = ZoneInfo(organization.timezone)
    # Seeded by text: Python then hashes with SHA-512, the same on every machine.
    chance = Random(f"{seed}/{organization.slug}/{number}/{day}")
    start, end = start_of_day(day, zone), start_of_day(day + timedelta(days=1), zone)
    passed = min(1.0, (now - start) / (end - start))
    first, last = workload.hours
    for _ in range(_how_often(workload, day, days, chance)):
        seconds = chance.randrange(first * 3600, last * 3600)
        local = datetime.combine(day, time.min, zone) + timedelta(seconds=seconds, milliseconds=chance.randrange(1000))
        at = local.astimezone(UTC)
        if day == days.end - timedelta(days=1):
            at = start + (at - start) * passed
        yield Moment(at=at, day=day, chance=Random(chance.getrandbits(64)))


def _how_often(workload: Workload, day: date, days: DayRange, chance: Random) -> int:
    """In whole numbers, so that it is the same everywhere: percents multiplied, the rest decided by chance."""
    position, length = (day - days.start).days, (days.end - days.start).days
    low, high = GROWTH
    growth = low + (high - low) * position // max(1, length - 1)
    of_week = workload.weekend_percent if day.weekday() >= SATURDAY else 100
    of_day = SO_FAR_PERCENT if position == length - 1 else 100
    often, rest = divmod(workload.per_day * growth * of_week * of_day * chance.randint(85, 115), 100**4)
    return often + (chance.randrange(100**4) < rest)
