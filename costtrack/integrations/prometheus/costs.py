"""What is spent and used, from the summaries: the same in whichever process is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import DecimalField, Min, Q, QuerySet, Sum, Value
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from costtrack.conf import settings
from costtrack.integrations.prometheus.requests import OTHER
from costtrack.models import DailyCostSummary, Organization, Project, ResourceUsage
from costtrack.models.summaries import PROJECT
from costtrack.reporting.current_counters import zones_of

LABELS = ("organization", "project", "provider", "model")
TOKENS = {
    "input": ("input_tokens",),
    "output": ("output_tokens",),
    "cache_read": ("cache_read_tokens",),
    "cache_write": ("cache_write_tokens", "cache_write_1h_tokens"),
    "reasoning": ("reasoning_tokens",),
}
"""By the label `type`. The cached ones are parts of the input, reasoning is one of the output."""
COUNTED = ("cost_usd", "calls", "errors", *(name for names in TOKENS.values() for name in names))
"""What only grows, corrections aside."""
UNPRICED, TAKEN = "unpriced_calls", "taken_usd"
DIMENSIONS = ("organization_id", "project_id", "provider", "model")

Key = tuple[str, str, str, str]


class Costs(NamedTuple):
    """The families, without samples until they are collected."""

    cost: CounterMetricFamily
    tokens: CounterMetricFamily
    calls: CounterMetricFamily
    errors: CounterMetricFamily
    reductions: CounterMetricFamily
    unpriced: GaugeMetricFamily


def families() -> Costs:
    """New ones."""
    return Costs(
        cost=CounterMetricFamily("api_cost_usd", "US dollars since the organization's month began.", labels=LABELS),
        tokens=CounterMetricFamily("api_tokens", "Tokens of this month.", labels=(*LABELS, "type")),
        calls=CounterMetricFamily("costtrack_calls", "Metered calls of this month.", labels=LABELS),
        errors=CounterMetricFamily("costtrack_call_errors", "Those that failed.", labels=LABELS),
        reductions=CounterMetricFamily(
            "costtrack_reductions_usd", "What corrections took back of api_cost_usd_total.", labels=LABELS
        ),
        unpriced=GaugeMetricFamily(
            "costtrack_unpriced_calls", "Calls of this month without a known price.", labels=LABELS
        ),
    )


def collect_costs(*, now: datetime) -> Iterator[Metric]:
    """Of this month, which is each organization's own.

    A counter must not fall, and a correction takes back: the counters are of what was booked before any was taken back,
    and that is a counter beside them. Both are summed by one statement, so that no correction is seen by half.
    """
    found = families()
    for key, sums in _bounded(_sums(now=now)).items():
        found.cost.add_metric(key, float(sums["cost_usd"]))
        for kind, names in TOKENS.items():
            found.tokens.add_metric((*key, kind), sum(int(sums[name]) for name in names))
        found.calls.add_metric(key, int(sums["calls"]))
        found.errors.add_metric(key, int(sums["errors"]))
        found.reductions.add_metric(key, float(sums[TAKEN]))
        found.unpriced.add_metric(key, int(sums[UNPRICED]))
    yield from found


def _sums(*, now: datetime) -> list[dict[str, Any]]:
    """Per dimensions the net sums, and what corrections took back, with the first day of each."""
    using = settings.database
    organizations = list(Organization.objects.using(using))
    if not organizations:
        return []
    months: dict[date, list[int]] = {}
    for key, zone in zones_of(organizations, using=using).items():
        months.setdefault(zone.day_of(now).replace(day=1), []).append(key)
    this_month = Q()
    for first, keys in months.items():
        this_month |= Q(organization_id__in=keys, day__gte=first)
    net: QuerySet[Any, dict[str, Any]] = (
        DailyCostSummary.objects.at_grain(PROJECT)
        .using(using)
        .filter(this_month)
        .values(*DIMENSIONS)
        .annotate(
            first_day=Min("day"),
            **{_sum(name): Sum(name) for name in (*COUNTED, UNPRICED)},
            **{_sum(TAKEN): Value(Decimal(0), output_field=DecimalField())},
        )
    )
    taken: QuerySet[Any, dict[str, Any]] = (
        ResourceUsage.objects.using(using)
        .filter(this_month, corrects__isnull=False)
        .values(*DIMENSIONS)
        .annotate(
            first_day=Min("day"),
            **{_sum(name): -Sum(name, filter=Q(**{f"{name}__lt": 0})) for name in COUNTED},
            **{_sum(UNPRICED): Value(0)},
            **{_sum(TAKEN): -Sum("cost_usd", filter=Q(cost_usd__lt=0))},
        )
    )
    return list(net.union(taken, all=True))


def _bounded(rows: Sequence[dict[str, Any]]) -> dict[Key, dict[str, Decimal]]:
    """By labels the sums; past COSTTRACK["METRICS_MAX_SERIES"] the rest of an organization is one.

    Those that were used first have labels of their own, and keep them: were it the dearest, one that is overtaken would
    go to the rest, and let its counter jump.
    """
    using = settings.database
    organizations = dict(Organization.objects.using(using).values_list("pk", "slug"))
    named = {row["project_id"] for row in rows} - {None}
    projects = dict(Project.objects.using(using).filter(pk__in=named).values_list("pk", "slug"))
    first_days: dict[tuple[Any, ...], Any] = {}
    for row in rows:
        place = tuple(row[name] for name in DIMENSIONS)
        first_days[place] = min(first_days.get(place, row["first_day"]), row["first_day"])
    in_order = sorted(first_days, key=lambda place: (str(first_days[place]), place[0], place[1] or 0, *place[2:]))
    own = set(in_order[: settings.metrics_max_series])
    found: dict[Key, dict[str, Decimal]] = {}
    for row in rows:
        place = tuple(row[name] for name in DIMENSIONS)
        organization = organizations.get(row["organization_id"], OTHER)
        key: Key = (organization, OTHER, OTHER, OTHER)
        if place in own:
            key = (organization, projects.get(row["project_id"], ""), row["provider"], row["model"])
        sums = found.setdefault(key, dict.fromkeys((*COUNTED, UNPRICED, TAKEN), Decimal(0)))
        for name in sums:
            sums[name] += Decimal(str(row[_sum(name)] or 0))
    return found


def _sum(name: str) -> str:
    """What a sum is called in a row: the columns have the names."""
    return f"{name}_sum"
