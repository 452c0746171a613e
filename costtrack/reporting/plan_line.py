"""The line "Plan variance" of a report: how far the runs of a period drifted from their plans."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from decimal import Decimal

from costtrack.conf import settings
from costtrack.domain.money import decimal_text, format_usd
from costtrack.domain.variance import COST_PLACES, Compared
from costtrack.models import Organization, UsageRun
from costtrack.reporting.variance import CostVariance, RunVariance, variances_of
from costtrack.reporting.wording import counted, one_line

RUNS_SHOWN = 10


def plan_variances(
    organizations: Collection[Organization] | None, start: datetime, end: datetime
) -> tuple[list[RunVariance], int]:
    """The runs with a plan that began in [start, end), newest first; at most ten, and how many more.

    None is all organizations. (A few queries, however many runs and organizations.)
    """
    rows = UsageRun.objects.using(settings.database).filter(started_at__gte=start, started_at__lt=end)
    rows = rows.exclude(plan_id="").select_related("organization")
    if organizations is not None:
        rows = rows.filter(organization__in=organizations)
    shown = list(rows.order_by("-started_at", "-id")[:RUNS_SHOWN])
    return variances_of(shown), rows.count() - len(shown) if len(shown) == RUNS_SHOWN else 0


def plan_variance_lines(organization: Organization | None, start: datetime, end: datetime) -> list[str]:
    """The same as lines. None is all organizations. No such run, no line."""
    return variance_lines(*plan_variances(None if organization is None else [organization], start, end))


def variance_lines(variances: Iterable[RunVariance], more: int) -> list[str]:
    """A line for each, and one that says how many more there are."""
    lines = [plan_variance_line(one) for one in variances]
    return [*lines, f"Plan variance: {counted(more, 'more run')} with a plan."] if more else lines


def plan_variance_line(variance: RunVariance) -> str:
    """For example `Plan variance: docs #3: $12.00 of $10.00 planned (+$2.00, ratio 1.2), 12 of 10 calls.`."""
    run, cost, unknown = variance.run, variance.cost_usd, variance.figures.cost_unknown_for_calls
    places = _places(cost.actual_total, cost.estimated)
    actual = "an unknown cost" if cost.actual_total is None else format_usd(cost.actual_total, places)
    unpriced = f" ({unknown:,} without a price)" if unknown > 0 else ""
    name = f"Plan variance: {one_line(str(run))}"
    if not variance.snapshot_resolved:
        said = f"plan {one_line(run.plan_id)} is not kept" if run.plan_id else "it has no plan"
        return f"{name}: {said}; {actual}, {counted(variance.figures.calls, 'call')}{unpriced}."
    if cost.estimated is None:
        of_cost = f"{actual}, no cost planned"
    else:
        of_cost = f"{actual} of {format_usd(cost.estimated, places)} planned{_drift(cost, places=places)}"
    return f"{name}: {of_cost}, {_calls(variance.calls)}{unpriced}."


def _calls(calls: Compared) -> str:
    actual = int(calls.actual or 0)
    return counted(actual, "call") if calls.estimated is None else f"{actual:,} of {int(calls.estimated):,} calls"


def _drift(cost: CostVariance, *, places: int) -> str:
    if cost.delta is None:
        return ""
    sign = "+" if cost.delta >= 0 else ""
    ratio = "" if cost.ratio is None else f", ratio {decimal_text(cost.ratio)}"
    return f" ({sign}{format_usd(cost.delta, places)}{ratio})"


def _places(*costs: Decimal | None) -> int:
    """Cents, where all of them have dollars; else as many as a variance has."""
    return 2 if all(cost is None or cost >= 1 for cost in costs) else COST_PLACES
