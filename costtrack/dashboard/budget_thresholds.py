"""Levels that people want to be told of: where they lie, and which one a budget comes to next."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal

from costtrack.conf import settings
from costtrack.dashboard.charts.bars import Tick
from costtrack.dashboard.words import quantity, share_text
from costtrack.domain.money import plain
from costtrack.models import BudgetThreshold
from costtrack.reporting.budget_figures import BudgetStatus

ZERO = Decimal(0)
_CONTEXT = Context(prec=60, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Approach:
    """How near a budget without a limit is to a threshold."""

    title: str
    """`Next threshold`; `Last threshold` where all are reached."""
    value: Decimal
    level: str
    """As people read it: `$100.00`."""
    nearness: str
    """`1.4 % spent`, `90 % forecast`, `no forecast yet`."""

    @property
    def words(self) -> str:
        """The same in one line: `next threshold $100.00, 1.4 % spent`."""
        return f"{self.title.lower()} {self.level}, {self.nearness}"


def thresholds_of(budgets: Collection[int]) -> Mapping[int, list[BudgetThreshold]]:
    """By budget its thresholds (one query)."""
    found: defaultdict[int, list[BudgetThreshold]] = defaultdict(list)
    rows = BudgetThreshold.objects.using(settings.database).filter(budget__in=budgets).select_related("budget")
    for one in rows:
        found[one.budget_id].append(one)
    return found


def threshold_value(threshold: BudgetThreshold, limit: Decimal | None) -> Decimal | None:
    """Where a threshold lies, in the budget's metric; None: in percent of no limit."""
    if threshold.unit == BudgetThreshold.Unit.AMOUNT:
        return plain(threshold.level)
    return None if limit is None else _CONTEXT.divide(_CONTEXT.multiply(limit, threshold.level), Decimal(100))


def ticks(thresholds: Sequence[BudgetThreshold], status: BudgetStatus) -> list[Tick]:
    """What marks them on the budget's bar."""
    found = []
    for threshold in thresholds:
        value = threshold_value(threshold, status.limit)
        if value is not None:
            found.append(
                Tick(value=value, title=f"{threshold}: {threshold.severity} at {quantity(value, status.metric)}")
            )
    return found


def approach_of(thresholds: Sequence[BudgetThreshold], status: BudgetStatus) -> Approach | None:
    """The threshold that is nearest, by the share of it that is spent (or forecast, where that is compared).

    None for a budget that rests, has no amount as a threshold, or has a limit: then its bar shows where they lie.
    """
    if not status.is_active or status.limit is not None:
        return None
    found = []
    for threshold in thresholds:
        value = threshold_value(threshold, status.limit)
        if value is not None:
            found.append((value, _compared(threshold, status), threshold))
    if not found:
        return None
    ahead = [(value, figure, threshold) for value, figure, threshold in found if figure is None or figure < value]
    if ahead:
        value, figure, threshold = max(ahead, key=lambda one: (_CONTEXT.divide(one[1] or ZERO, one[0]), -one[0]))
    else:
        value, figure, threshold = max(found, key=lambda one: one[0])
    basis = "spent" if threshold.basis == BudgetThreshold.Basis.ACTUAL else "forecast"
    return Approach(
        title="Next threshold" if ahead else "Last threshold",
        value=value,
        level=quantity(value, status.metric),
        nearness="no forecast yet" if figure is None else f"{share_text(figure, value)} {basis}",
    )


def _compared(threshold: BudgetThreshold, status: BudgetStatus) -> Decimal | None:
    return status.spent if threshold.basis == BudgetThreshold.Basis.ACTUAL else status.forecast
