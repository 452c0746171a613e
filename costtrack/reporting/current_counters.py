"""What the counters of running periods say; where one is missing (unused so far, or pruned), what the ledger says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from costtrack.budgets.counters import CounterKey, CounterOf, ledger_sums
from costtrack.budgets.moves import exact
from costtrack.domain.budget_periods import period_at
from costtrack.domain.budget_rules import BudgetRule
from costtrack.domain.periods import ZoneHistory
from costtrack.models import Budget, BudgetCounter, Organization, OrganizationZone

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class CurrentFigures:
    """Of one counter, in its budget's metric."""

    spent: Decimal
    held: Decimal = ZERO
    leased: Decimal = ZERO
    shadow_refusals: int = 0


UNUSED = CurrentFigures(ZERO)


def counter_now(rule: BudgetRule, subject: str, *, zones: ZoneHistory, now: datetime) -> CounterOf:
    """The counter of a budget's subject in the period that `now` is in."""
    period = period_at(rule.period, now, zones)
    return CounterOf(CounterKey(rule.lock_rank, rule.id, subject, period.start), rule, period)


def figures_of(
    counters: Sequence[CounterOf], *, using: str, resting: Iterable[int] = ()
) -> dict[CounterKey, CurrentFigures]:
    """The figures of these counters: one query, and for 50 that are missing another one, that sums the ledger.

    Also summed is what the budgets of the ids `resting` have spent, since their counters stand still.
    """
    rows = BudgetCounter.objects.using(using).filter(
        budget__in={counter.key.budget_id for counter in counters},
        subject__in={counter.key.subject for counter in counters},
        period_start__in={counter.key.period_start for counter in counters},
    )
    stored = {(row.budget_id, row.subject, row.period_start): figures_in(row) for row in rows}
    still = set(resting)
    lookups = {one.key: (one.key.budget_id, one.key.subject, one.key.period_start) for one in counters}
    found = {key: stored.get(lookup, UNUSED) for key, lookup in lookups.items()}
    unknown = [one for one in counters if one.key.budget_id in still or lookups[one.key] not in stored]
    sums = ledger_sums(unknown, using=using)
    return found | {key: replace(found[key], spent=exact(total)) for key, total in sums.items()}


def figures_in(row: BudgetCounter) -> CurrentFigures:
    """What a counter's row says."""
    return CurrentFigures(exact(row.spent), exact(row.held), exact(row.leased), row.shadow_refusals)


def whole_figures(
    budgets: Iterable[Budget], *, now: datetime, using: str
) -> dict[int, tuple[CounterOf, CurrentFigures]]:
    """By id the figures of those budgets that have one counter for their whole scope, of any organizations."""
    whole = [budget for budget in budgets if not budget.per]
    zones = zones_of({budget.organization for budget in whole}, using=using)
    counters = {
        budget.id: counter_now(budget.rule(), "", zones=zones[budget.organization_id], now=now) for budget in whole
    }
    resting = [budget.id for budget in whole if not budget.is_active]
    figures = figures_of(list(counters.values()), using=using, resting=resting)
    return {key: (counter, figures[counter.key]) for key, counter in counters.items()}


def zones_of(organizations: Iterable[Organization], *, using: str) -> dict[int, ZoneHistory]:
    """By id the zones that the organizations have had (one query)."""
    by_id = {organization.id: organization for organization in organizations}
    changes: dict[int, list[tuple[str, datetime | None]]] = {}
    rows = OrganizationZone.objects.using(using).filter(organization__in=by_id)
    for key, timezone, effective_from in rows.values_list("organization_id", "timezone", "effective_from"):
        changes.setdefault(key, []).append((timezone, effective_from))
    return {key: ZoneHistory.of(one.timezone, changes.get(key, ())) for key, one in by_id.items()}
