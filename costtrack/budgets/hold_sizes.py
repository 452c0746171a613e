"""Whether a hold that is found again holds enough: who asks again with its id may ask for more than before."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from costtrack.budgets.asking import Taking
from costtrack.budgets.holds import parts_of
from costtrack.budgets.leased_holds import leases_of
from costtrack.budgets.leases import amount_of
from costtrack.domain.budget_rules import BudgetMetric
from costtrack.exceptions import HoldTooSmall
from costtrack.models import BudgetCounter, BudgetLease, Hold


def check_is_enough(hold_id: UUID, takings: Sequence[Taking], *, leases: str, using: str) -> None:
    """Raise HoldTooSmall if the hold holds less than is to be taken now (one query, two of one of the database).

    Compared is each metric that it holds anything of, in whatever budget: of what it was granted for, budgets may have
    come and gone since, and periods begun. `leases`: what Redis says that it takes of them; "" = the database holds it.
    """
    held = _held_in_redis(leases, using) if leases else _held_in_table(hold_id, using)
    for counter, amount in takings:
        metric = counter.rule.metric
        if metric in held and amount > held[metric]:
            raise HoldTooSmall(hold_id, metric=metric.value, held=held[metric], needed=amount)


def _held_in_table(hold_id: UUID, using: str) -> dict[BudgetMetric, Decimal]:
    hold = Hold.objects.using(using).filter(id=hold_id).first()
    parts = dict(parts_of(hold)) if hold is not None else {}
    counters = BudgetCounter.objects.using(using).filter(id__in=parts).values_list("id", "budget__metric")
    return {BudgetMetric(metric): parts[counter_id] for counter_id, metric in counters}


def _held_in_redis(leases: str, using: str) -> dict[BudgetMetric, Decimal]:
    taken = leases_of(leases)
    rows = BudgetLease.objects.using(using).filter(id__in=taken).values_list("id", "counter__budget__metric")
    metrics = {lease_id: BudgetMetric(metric) for lease_id, metric in rows}
    return {metric: amount_of(taken[lease_id], metric) for lease_id, metric in metrics.items()}
