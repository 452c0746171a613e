"""How much of a day's cost is usually spent by some time of it: from the ledger, because summaries have no clock."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.core.cache import cache
from django.core.exceptions import EmptyResultSet
from django.db.models import Q, QuerySet, Sum

from costtrack.domain.forecast import CLOCK_DAYS
from costtrack.domain.money import decimal_from_database, exact_sum
from costtrack.domain.periods import DayRange, ZoneHistory
from costtrack.models import Agent, Organization, Project
from costtrack.reporting.costs import summaries_of
from costtrack.reporting.figures import ROUNDING
from costtrack.reporting.ledger_rows import ledger_rows_by_index

ONE_DAY, QUARTER = timedelta(days=1), timedelta(minutes=15)
MOST_CALLS_READ = 1_000_000
"""Of the ledger: about half a second. Of organizations with more calls in CLOCK_DAYS days fewer days are asked."""
ByNow = tuple[Decimal | None, tuple[Decimal, ...]]
"""How much of a day's cost is usually spent by some time of it, from 0 to 1, and what each day had cost by then; None
and nothing where the ledger has no costs, or was not asked."""
Narrow = Callable[[QuerySet[Any]], QuerySet[Any]]
"""Leaves the summaries of a scope, and likewise the rows of the ledger: their columns have the same names."""


def spent_by_now(
    passed: timedelta,
    *,
    today: date,
    zone: ZoneHistory,
    organizations: Collection[Organization] | None,
    owner: Project | Agent | None,
    narrow: Narrow | None,
    calls: Mapping[date, int] | None,
) -> ByNow:
    """The same so long after midnight, of the last CLOCK_DAYS days, or of as many of them as can be read (one query).

    `calls` are those of the organizations in the days before today, if they are known; else it takes a query more. The
    days are over, and there may be very many calls in them, so it is kept in the cache for a quarter of an hour.
    """
    days = _days_read(_calls_of(organizations, before=today) if calls is None else calls, before=today)
    if days.start == days.end:
        return None, ()
    rows = ledger_rows_by_index(organizations=organizations, owner=owner)
    rows = rows.filter(day__gte=days.start, day__lt=days.end)
    is_before = Q()
    for day in days.days():
        is_before |= Q(day=day, occurred_at__lt=midnight(day, zone) + passed)
    asked = (narrow(rows) if narrow else rows).order_by()
    key = _key_of(asked, passed)
    kept: ByNow | None = None if key is None else cache.get(key)
    if kept is not None:
        return kept
    sums = asked.values("day").annotate(before=Sum("cost_usd", filter=is_before), whole=Sum("cost_usd"))
    known = {row["day"]: (decimal_from_database(row["before"]), decimal_from_database(row["whole"])) for row in sums}
    before, whole = (exact_sum(day[part] for day in known.values()) for part in (0, 1))
    found: ByNow = (None, ())
    if whole > 0:
        share = min(Decimal(1), max(Decimal(0), ROUNDING.divide(before, whole)))
        found = share, tuple(known.get(day, (Decimal(0),))[0] for day in days.days())
    if key is not None:
        cache.set(key, found, QUARTER.total_seconds())
    return found


def midnight(day: date, zone: ZoneHistory) -> datetime:
    """In UTC: instants of one zone would be subtracted by its clock, which leaps."""
    return zone.start_of(day).astimezone(UTC)


def _calls_of(organizations: Collection[Organization] | None, *, before: date) -> Mapping[date, int]:
    """All of the organizations, by day: whoever owns them, they are looked at."""
    rows = summaries_of(DayRange(before - CLOCK_DAYS * ONE_DAY, before), by=(), organizations=organizations)
    return dict(rows.values_list("day").annotate(sum_calls=Sum("calls")).order_by())


def _days_read(calls: Mapping[date, int], *, before: date) -> DayRange:
    """The last days with MOST_CALLS_READ calls at most."""
    first, read = before, 0
    while first > before - CLOCK_DAYS * ONE_DAY:
        read += calls.get(first - ONE_DAY, 0)
        if read > MOST_CALLS_READ:
            break
        first -= ONE_DAY
    return DayRange(first, before)


def _key_of(rows: QuerySet[Any], passed: timedelta) -> str | None:
    """What the sums of these rows are kept by; None where nothing is asked for."""
    try:
        statement, parameters = rows.query.sql_with_params()
    except EmptyResultSet:
        return None
    told = hashlib.sha256(f"{statement} {parameters} {passed}".encode()).hexdigest()
    return f"costtrack-spent-by-now-{told}"
