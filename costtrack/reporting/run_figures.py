"""What runs used and cost, summed up from the ledger when somebody asks: in total, and per bucket."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.db.models import F, Q, Sum

from costtrack.conf import settings
from costtrack.domain.events import CostSource
from costtrack.domain.money import EXACT, exact_sum
from costtrack.models import Agent, Project, UsageRun
from costtrack.reporting.figures import NO_MONEY, figures_reader
from costtrack.reporting.ledger_rows import ledger_rows

BUCKET = ("workflow", "stage", "provider", "model")
FROM_RATES = Q(cost_source__in=(CostSource.ESTIMATED.value, CostSource.FREE.value))
REPORTED = Q(cost_source=CostSource.REPORTED.value)


class CostStatus(StrEnum):
    """How sure a cost is: as sure as the least sure call in it."""

    KNOWN = "known"
    """Every call's was reported by its provider."""
    ESTIMATED = "estimated"
    """Some are from the rate table, and none is unknown."""
    UNKNOWN = "unknown"
    """Some call has no price: the sums leave it out, and do not take it for 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFigures:
    """Sums of some of a run's calls. Corrections are in them, as signed rows."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd_known: Decimal = NO_MONEY
    """What providers reported."""
    cost_usd_estimated: Decimal | None = None
    """What the rate table says of the other calls; None if it was asked for none."""
    cost_estimated_for_calls: int = 0
    cost_unknown_for_calls: int = 0

    @property
    def total_tokens(self) -> int:
        """Prompt plus completion."""
        return self.prompt_tokens + self.completion_tokens

    @property
    def cost_status(self) -> CostStatus:
        """Of all of it; without calls it is known: nothing."""
        if self.cost_unknown_for_calls > 0:
            return CostStatus.UNKNOWN
        return CostStatus.KNOWN if self.cost_usd_estimated is None else CostStatus.ESTIMATED

    @property
    def cost_usd_total(self) -> Decimal | None:
        """Known and estimated; None where not one of the calls has a price."""
        total = EXACT.add(self.cost_usd_known, self.cost_usd_estimated or NO_MONEY)
        return None if 0 < self.calls <= self.cost_unknown_for_calls and not total else total


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBucket:
    """A run's calls of one workflow, stage, provider and model; "" where they have none."""

    workflow: str
    stage: str
    provider: str
    model: str
    figures: RunFigures


def buckets_of(
    runs: Collection[UsageRun], *, owner: Project | Agent | None = None
) -> Mapping[int, tuple[RunBucket, ...]]:
    """The buckets of each run, by its primary key, in the order of their names (one query).

    `owner` leaves out what does not belong to one project or agent.
    """
    found: defaultdict[int, list[RunBucket]] = defaultdict(list)
    keys = {(run.organization_id, run.run_id): run.pk for run in runs}
    for row in _sums(runs, BUCKET, owner=owner):
        key = keys.get((row["organization_id"], row["run"]))
        if key is not None:
            found[key].append(RunBucket(**{name: row[name] for name in BUCKET}, figures=_figures(row)))
    return {run.pk: tuple(found[run.pk]) for run in runs}


def totals_of(runs: Collection[UsageRun], *, owner: Project | Agent | None = None) -> Mapping[int, RunFigures]:
    """The totals of each run, by its primary key; a run without calls has zeros (one query)."""
    sums = {(row["organization_id"], row["run"]): _figures(row) for row in _sums(runs, (), owner=owner)}
    return {run.pk: sums.get((run.organization_id, run.run_id), RunFigures()) for run in runs}


def added_up(parts: Iterable[RunFigures]) -> RunFigures:
    """The sum of several figures."""
    listed = list(parts)
    estimated = [one.cost_usd_estimated for one in listed if one.cost_usd_estimated is not None]
    return RunFigures(
        calls=sum(one.calls for one in listed),
        prompt_tokens=sum(one.prompt_tokens for one in listed),
        completion_tokens=sum(one.completion_tokens for one in listed),
        cost_usd_known=exact_sum(one.cost_usd_known for one in listed),
        cost_usd_estimated=exact_sum(estimated) if estimated else None,
        cost_estimated_for_calls=sum(one.cost_estimated_for_calls for one in listed),
        cost_unknown_for_calls=sum(one.cost_unknown_for_calls for one in listed),
    )


def _sums(runs: Collection[UsageRun], names: tuple[str, ...], *, owner: Project | Agent | None) -> Iterable[Any]:
    """Of each run, and of each value of `names` in it; of no runs nothing, without a query."""
    if not runs:
        return ()
    rows = ledger_rows(owner=owner).filter(
        organization__in={run.organization_id for run in runs}, run__in={run.run_id for run in runs}
    )
    rows = rows.exclude(run="")  # in the words of the index's condition, which SQLite wants
    groups = ("organization_id", "run", *names)
    sums: Iterable[Any] = (
        rows.values(*groups)
        .annotate(
            sum_calls=Sum("calls"),
            sum_input_tokens=Sum("input_tokens"),
            sum_output_tokens=Sum("output_tokens"),
            sum_cost_reported_usd=Sum("cost_usd", filter=REPORTED),
            sum_cost_estimated_usd=Sum("cost_usd", filter=FROM_RATES),
            sum_unpriced_calls=Sum("unpriced_calls"),
            # A price that came late is a row without a call that takes an unpriced one back.
            estimated_calls=Sum(F("calls") - F("unpriced_calls"), filter=FROM_RATES),
        )
        .order_by(*groups)
    )
    return sums


SUMMED = (
    "calls",
    "input_tokens",
    "output_tokens",
    "cost_reported_usd",
    "cost_estimated_usd",
    "unpriced_calls",
)


def _figures(row: Mapping[str, Any]) -> RunFigures:
    sums = figures_reader(SUMMED, using=settings.database)(row[f"sum_{name}"] for name in SUMMED)
    estimated_calls = int(row["estimated_calls"] or 0)
    is_estimated = estimated_calls != 0 or sums.cost_estimated_usd != 0
    return RunFigures(
        calls=sums.calls,
        prompt_tokens=sums.input_tokens,
        completion_tokens=sums.output_tokens,
        cost_usd_known=sums.cost_reported_usd,
        cost_usd_estimated=sums.cost_estimated_usd if is_estimated else None,
        cost_estimated_for_calls=estimated_calls,
        cost_unknown_for_calls=sums.unpriced_calls,
    )
