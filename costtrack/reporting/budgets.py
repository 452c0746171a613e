"""How budgets stand in their current periods: limit, spent, held, what is left, and where it leads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from django.utils import timezone

from costtrack.budgets.counters import CounterOf
from costtrack.conf import settings
from costtrack.domain.budget_forecast import forecast_at
from costtrack.domain.budget_rules import Facts
from costtrack.domain.events import Attribution
from costtrack.domain.periods import ZoneHistory
from costtrack.exceptions import UnknownOrganization
from costtrack.metering.attribution import given_attribution
from costtrack.metering.context import current_attribution
from costtrack.models import Budget, BudgetCounter, Organization
from costtrack.reporting.budget_figures import BudgetStatus
from costtrack.reporting.budget_scope import facts_of_attribution, has_subject, may_count, subject_texts
from costtrack.reporting.current_counters import UNUSED, CurrentFigures, counter_now, figures_in, figures_of

SUBJECTS_SHOWN = 100


class _Line(NamedTuple):
    """One status to be: the counter, its figures, and how many more there are."""

    budget: Budget
    counter: CounterOf
    figures: CurrentFigures
    others: int = 0


def budget_status(
    organization: Organization | str | None = None,
    *,
    budget: Budget | int | str | None = None,
    subject: str | None = None,
    counts_for: Attribution | Mapping[str, object] | None = None,
    now: datetime | None = None,
    limit: int = SUBJECTS_SHOWN,
) -> tuple[BudgetStatus, ...]:
    """How the budgets of an organization stand in the period that `now` is in; the oldest budget first.

    `budget` picks one by itself, its id or name; `subject` one thread, agent ..., as counters store it. `counts_for`
    picks those that an attribution's usage counts in: fields of `attribute`, such as `{"project": "website", "agent":
    "writer"}`. Without an organization that is the calling context's own: what the caller inside of
    `with attribute(...)` has left. Budgets of one model, provider, resource type or endpoint are among them, unless
    the attribution names another.

    A budget with one counter for each of something has one status for each that used or held anything in the period:
    the `limit` dearest ones, and how many others there are. One that rests shows none. Figures are exact on
    PostgreSQL, on SQLite right to a nano-dollar. Raises UnknownOrganization.
    """
    alias = settings.database
    said = _attribution(organization, counts_for)
    owner = _organization(organization, said, using=alias)
    if owner is None:
        return ()
    facts = None if said is None else facts_of_attribution(said, organization=owner, using=alias)
    budgets = [one for one in _budgets(owner, budget, using=alias) if facts is None or may_count(one.rule(), facts)]
    if not budgets:
        return ()
    zones, instant = owner.zone_history(), now or timezone.now()
    lines = _known_lines(budgets, subject, facts, zones=zones, now=instant, using=alias)
    if subject is not None and budget is None:
        lines = [line for line in lines if line.figures != UNUSED]
    if subject is None and facts is None:
        for one in budgets:
            if one.per and one.is_active:
                lines += _dearest(one, zones=zones, now=instant, limit=limit, using=alias)
    return _statuses(sorted(lines, key=lambda line: line.budget.id), now=instant, using=alias)


def _attribution(organization: object, counts_for: Attribution | Mapping[str, object] | None) -> Attribution | None:
    if counts_for is None:
        return current_attribution() if organization is None else None
    if isinstance(counts_for, Attribution):
        return counts_for
    return given_attribution(counts_for, caller="budget_status(counts_for=...)").resolve()


def _organization(
    organization: Organization | str | None, said: Attribution | None, *, using: str
) -> Organization | None:
    """None only for the default organization, which appears with its first usage and so has no budgets before."""
    if isinstance(organization, Organization):
        return organization
    slug = organization or (said.organization if said else "") or settings.default_organization
    found = Organization.objects.using(using).filter(slug=slug).first()
    if found is None and slug != settings.default_organization:
        raise UnknownOrganization(slug)
    return found


def _budgets(owner: Organization, budget: Budget | int | str | None, *, using: str) -> list[Budget]:
    rows = Budget.objects.using(using).filter(organization=owner)
    if isinstance(budget, str):
        rows = rows.filter(name=budget)
    elif budget is not None:
        rows = rows.filter(pk=budget.pk if isinstance(budget, Budget) else budget)
    return list(rows.select_related("organization", "project", "agent").order_by("id"))


def _known_lines(
    budgets: Sequence[Budget],
    subject: str | None,
    facts: Facts | None,
    *,
    zones: ZoneHistory,
    now: datetime,
    using: str,
) -> list[_Line]:
    """Those whose subject is known beforehand: the whole scope, the one asked for, the attribution's."""
    chosen: list[tuple[Budget, CounterOf]] = []
    for one in budgets:
        rule = one.rule()
        wanted = (rule.subject(facts) or "") if facts is not None else (subject or "")
        if (subject is None or wanted == subject) and has_subject(rule, wanted):
            chosen.append((one, counter_now(rule, wanted, zones=zones, now=now)))
    resting = [one.id for one in budgets if not one.is_active]
    figures = figures_of([counter for _, counter in chosen], using=using, resting=resting)
    return [_Line(one, counter, figures[counter.key]) for one, counter in chosen]


def _dearest(budget: Budget, *, zones: ZoneHistory, now: datetime, limit: int, using: str) -> list[_Line]:
    """The subjects that have a counter in the period (one query; with more than `limit`, one more)."""
    rule = budget.rule()
    start = counter_now(rule, "", zones=zones, now=now).key.period_start
    rows = BudgetCounter.objects.using(using).filter(budget=budget, period_start=start)
    found = list(rows.order_by("-spent", "subject")[: limit + 1])
    others = rows.count() - limit if len(found) > limit else 0
    return [
        _Line(budget, counter_now(rule, row.subject, zones=zones, now=now), figures_in(row), others)
        for row in found[:limit]
    ]


def _statuses(lines: Sequence[_Line], *, now: datetime, using: str) -> tuple[BudgetStatus, ...]:
    texts = subject_texts([(line.counter.rule, line.counter.key.subject) for line in lines], using=using)
    return tuple(_status(line, texts[line.counter.rule.per, line.counter.key.subject], now=now) for line in lines)


def _status(line: _Line, subject_text: str, *, now: datetime) -> BudgetStatus:
    budget, (key, rule, period), figures, others = line
    forecast = forecast_at(period, now=now, spent=figures.spent)
    return BudgetStatus(
        budget_id=budget.id,
        budget=str(budget),
        organization=budget.organization.slug,
        scope={**dict(rule.scope), **rule.subject_facts(key.subject)},
        scope_text=budget.scope_text(),
        subject=key.subject,
        subject_text=subject_text,
        metric=rule.metric.value,
        enforcement=rule.enforcement.value,
        period=rule.period.value,
        is_active=budget.is_active,
        limit=rule.limit,
        spent=figures.spent,
        held=figures.held,
        leased=figures.leased,
        forecast=forecast.amount,
        forecast_method=forecast.method,
        period_start=period.start,
        resets_at=period.end,
        shadow_refusals=figures.shadow_refusals,
        other_subjects=others,
    )
