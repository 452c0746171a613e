"""The lines that tell how budgets stand: of any organizations, by as many queries for a hundred budgets as for one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Count, F, Q, QuerySet, Window
from django.db.models.functions import RowNumber

from costtrack.budgets.counters import CounterOf
from costtrack.domain.budget_forecast import forecast_at
from costtrack.domain.money import plain
from costtrack.domain.periods import ZoneHistory
from costtrack.models import Budget, BudgetCounter
from costtrack.reporting.budget_figures import BudgetStatus
from costtrack.reporting.budget_scope import has_subject, subject_owners, subject_text
from costtrack.reporting.current_counters import CurrentFigures, counter_now, figures_in, figures_of

Zones = Mapping[int, ZoneHistory]
"""By the organization's id."""


class Line(NamedTuple):
    """One status to be: the counter, its figures, and how many more there are."""

    budget: Budget
    counter: CounterOf
    figures: CurrentFigures
    others: int = 0


def known_lines(wanted: Iterable[tuple[Budget, str]], *, zones: Zones, now: datetime, using: str) -> list[Line]:
    """Those of subjects that are known beforehand, "" for the whole scope; none where the budget can not have it."""
    chosen: list[tuple[Budget, CounterOf]] = []
    for budget, subject in wanted:
        rule = budget.rule()
        if has_subject(rule, subject):
            counter = counter_now(rule, subject, zones=zones[budget.organization_id], now=now)
            chosen.append((budget, counter))
    resting = [budget.id for budget, _ in chosen if not budget.is_active]
    figures = figures_of([counter for _, counter in chosen], using=using, resting=resting)
    return [Line(budget, counter, figures[counter.key]) for budget, counter in chosen]


def dearest_lines(budgets: Sequence[Budget], *, zones: Zones, now: datetime, limit: int, using: str) -> list[Line]:
    """Of each budget the `limit` dearest subjects that have a counter in the period, and how many others there are.

    A query; one more if a budget has others.
    """
    if not budgets:
        return []
    by_id = {
        budget.id: (budget, counter_now(budget.rule(), "", zones=zones[budget.organization_id], now=now))
        for budget in budgets
    }
    ids_by_start: dict[datetime, list[int]] = {}
    for key, (_, counter) in by_id.items():
        ids_by_start.setdefault(counter.key.period_start, []).append(key)
    is_current = Q()
    for start, ids in ids_by_start.items():
        is_current |= Q(period_start=start, budget__in=ids)
    rows = BudgetCounter.objects.using(using).filter(is_current)
    place = Window(RowNumber(), partition_by=F("budget_id"), order_by=[F("spent").desc(), F("subject").asc()])
    found = list(rows.annotate(place=place).filter(place__lte=limit + 1).order_by("budget_id", "place"))
    others = _others(found, rows, limit=limit)
    lines = []
    for row in found:
        if row.place <= limit:
            budget, counter = by_id[row.budget_id]
            own = counter._replace(key=counter.key._replace(subject=row.subject))
            lines.append(Line(budget, own, figures_in(row), others.get(budget.id, 0)))
    return lines


def _others(found: Sequence[BudgetCounter], rows: QuerySet[BudgetCounter], *, limit: int) -> dict[int, int]:
    shown = Counter(row.budget_id for row in found)
    longer = [key for key, number in shown.items() if number > limit]
    if not longer:
        return {}
    counted: Any = rows.filter(budget__in=longer).order_by().values("budget_id").annotate(number=Count("id"))
    return {one["budget_id"]: one["number"] - limit for one in counted}


def statuses_of(lines: Sequence[Line], *, now: datetime, using: str) -> tuple[BudgetStatus, ...]:
    """The lines in the order of their budgets, for people (at most two queries, for names of projects and agents)."""
    ordered = sorted(lines, key=lambda line: line.budget.id)
    owners = subject_owners([(line.counter.rule, line.counter.key.subject) for line in ordered], using=using)
    return tuple(
        _status(line, owners.get((line.counter.rule.per, line.counter.key.subject), {}), now=now) for line in ordered
    )


def _status(line: Line, owners: Mapping[str, str], *, now: datetime) -> BudgetStatus:
    budget, (key, rule, period), figures, others = line
    forecast = forecast_at(period, now=now, spent=figures.spent)
    return BudgetStatus(
        budget_id=budget.id,
        budget=str(budget),
        organization=budget.organization.slug,
        scope=rule.shown_scope(key.subject, owners),
        scope_text=budget.scope_text(),
        subject=key.subject,
        subject_text=subject_text(key.subject, owners),
        metric=rule.metric.value,
        enforcement=rule.enforcement.value,
        period=rule.period.value,
        is_active=budget.is_active,
        limit=None if rule.limit is None else plain(rule.limit),
        spent=plain(figures.spent),
        held=plain(figures.held),
        leased=plain(figures.leased),
        forecast=None if forecast.amount is None else plain(forecast.amount),
        forecast_method=forecast.method,
        period_start=period.start,
        resets_at=period.end,
        shadow_refusals=figures.shadow_refusals,
        other_subjects=others,
    )
