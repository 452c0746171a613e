"""Budget counters: which ones a usage counts in, and their rows, made from what the ledger says where one is missing.

Counters are always locked in one order: narrowest scope first, the organization last; then budget, then subject.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connections, transaction
from django.db.models import DecimalField, F, QuerySet, Value
from django.db.models.functions import Cast

from costtrack.budgets.book import OrganizationBudgets
from costtrack.domain.budget_periods import Period
from costtrack.domain.budget_rules import BudgetMetric, BudgetRule, Facts
from costtrack.domain.model_versions import model_pattern
from costtrack.domain.money import decimal_from_database
from costtrack.models import BudgetCounter, ResourceUsage
from costtrack.models.exact_sums import ExactSum

ONE_DAY = timedelta(days=1)
KEPT_AFTER_END = timedelta(hours=1)
"""So long after its period a counter that is missing is still made; later the ledger alone answers."""
SUMMED_AT_ONCE = 50
"""SQLite takes no more than 500 queries in one, and old ones 999 values."""


class CounterKey(NamedTuple):
    """Which counter; sorts in the order in which they are locked."""

    lock_rank: int
    budget_id: int
    subject: str
    period_start: datetime


class CounterOf(NamedTuple):
    """A counter, with all that is needed to make it."""

    key: CounterKey
    rule: BudgetRule
    period: Period


def counters_of(
    facts: Facts, instant: datetime, budgets: OrganizationBudgets, rules: Iterable[BudgetRule]
) -> list[CounterOf]:
    """The counters of those `rules` that a usage of these facts at `instant` counts in, in lock order."""
    found = []
    for rule in rules:
        subject = rule.counted_as(facts)
        if subject is not None:
            period = budgets.period(rule.period, instant)
            found.append(CounterOf(CounterKey(rule.lock_rank, rule.id, subject, period.start), rule, period))
    return found


def ledger_rows(rule: BudgetRule, subject: str, period: Period, *, using: str) -> QuerySet[ResourceUsage]:
    """The ledger's rows that count in a counter, corrections included."""
    rows = ResourceUsage.objects.using(using).filter(organization_id=rule.organization_id)
    scope = dict(rule.scope)
    model = str(scope.pop("model", ""))
    if model:
        rows = rows.filter(model__startswith=model, model__regex=model_pattern(model))
    # One after the other: a budget for each entity of one type names that in both.
    rows = rows.filter(**scope).filter(**rule.subject_facts(subject))
    if period.end is not None:
        # The days, which are local dates, only help the planner to its partitions.
        rows = rows.filter(
            occurred_at__gte=period.start,
            occurred_at__lt=period.end,
            day__gte=(period.start - ONE_DAY).date(),
            day__lte=(period.end + ONE_DAY).date(),
        )
    return rows


def ledger_sum(rule: BudgetRule, subject: str, period: Period, *, using: str) -> Decimal:
    """What the ledger says was used, in the budget's metric."""
    sums = list(_summed(ledger_rows(rule, subject, period, using=using), rule.metric))
    return decimal_from_database(sums[0]["total"] if sums else None)


def ledger_sums(counters: Sequence[CounterOf], *, using: str) -> dict[CounterKey, Decimal]:
    """The same of many counters, by a query for 50 of them."""
    found: dict[CounterKey, Decimal] = {}
    for start in range(0, len(counters), SUMMED_AT_ONCE):
        some = counters[start : start + SUMMED_AT_ONCE]
        each = [
            _summed(ledger_rows(rule, key.subject, period, using=using), rule.metric)
            .annotate(place=Value(place))
            .values_list("place", "total")
            for place, (key, rule, period) in enumerate(some)
        ]
        totals: dict[int, object] = dict(each[0].union(*each[1:], all=True))
        found |= {counter.key: decimal_from_database(totals.get(place)) for place, counter in enumerate(some)}
    return found


def create_counters(missing: Iterable[CounterOf], *, using: str) -> None:
    """Make the counters that are not there, each with what its period has used already, in a transaction of its own.

    However many make one at the same time, it is made once. A writer that has not committed yet is not in the sum; it
    will find the counter, or, if it does not, begin again (`spending.CountersMissing`). None is made of a budget that
    somebody has deleted: who has an old list reads a new one then.
    """
    connection = connections[using]
    with transaction.atomic(using=using):
        for key, rule, period in sorted(missing, key=lambda one: one.key):
            if not _is_there(rule.id, using):
                continue
            lookup = [key.budget_id, key.subject, _value(key.period_start, connection)]
            with connection.cursor() as cursor:
                cursor.execute(
                    "INSERT INTO costtrack_budgetcounter (budget_id, subject, period_start, period_end, lock_rank, "
                    "spent, held, leased, shadow_refusals, updated_at) VALUES (%s, %s, %s, %s, %s, 0, 0, 0, 0, %s) "
                    "ON CONFLICT DO NOTHING",
                    [
                        *lookup,
                        _value(period.end, connection),
                        key.lock_rank,
                        _value(datetime.now(key.period_start.tzinfo), connection),
                    ],
                )
                if not cursor.rowcount:
                    continue
                # Only now: a sum from before the row was there could miss what an earlier row of it, deleted since,
                # had counted.
                rows = _summed(ledger_rows(rule, key.subject, period, using=using), rule.metric)
                sql, params = rows.query.get_compiler(using).as_sql()
                cursor.execute(
                    f"UPDATE costtrack_budgetcounter SET spent = coalesce(({sql}), 0) "
                    "WHERE budget_id = %s AND subject = %s AND period_start = %s",
                    [*params, *lookup],
                )


def _is_there(budget_id: int, using: str) -> bool:
    """Whether the budget exists, and will until this transaction ends."""
    lock = "FOR KEY SHARE" if connections[using].vendor == "postgresql" else ""
    with connections[using].cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM costtrack_budget WHERE id = %s {lock}", [budget_id])
        return cursor.fetchone() is not None


def counter_ids(keys: Sequence[CounterKey], *, using: str) -> dict[CounterKey, int]:
    """The ids of those counters that exist."""
    if not keys:
        return {}
    by_lookup = {(key.budget_id, key.subject, key.period_start): key for key in keys}
    rows = BudgetCounter.objects.using(using).filter(
        budget__in={key.budget_id for key in keys},
        subject__in={key.subject for key in keys},
        period_start__in={key.period_start for key in keys},
    )
    found = {}
    for counter_id, *lookup in rows.values_list("id", "budget_id", "subject", "period_start"):
        key = by_lookup.get(tuple(lookup))  # type: ignore[arg-type]
        if key is not None:
            found[key] = counter_id
    return found


def _summed(rows: QuerySet[ResourceUsage], metric: BudgetMetric) -> QuerySet[ResourceUsage, Any]:
    whole: DecimalField[Any, Any] = DecimalField(max_digits=30, decimal_places=0)
    expressions: Mapping[BudgetMetric, Any] = {
        BudgetMetric.COST_USD: F("cost_usd"),
        BudgetMetric.TOKENS: Cast(F("input_tokens") + F("output_tokens"), whole),
        BudgetMetric.CALLS: Cast(F("calls"), whole),
        BudgetMetric.AMOUNT: F("amount"),
    }
    by_organization = rows.order_by().values("organization_id")  # there is only one
    return by_organization.annotate(total=ExactSum(expressions[metric])).values("total")


def _value(instant: datetime | None, connection: Any) -> Any:
    return connection.ops.adapt_datetimefield_value(instant)
