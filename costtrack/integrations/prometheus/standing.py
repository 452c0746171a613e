"""How budgets stand, and how metering fares."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from costtrack.conf import settings
from costtrack.metering.health import metering_health
from costtrack.metering.spool.state import SegmentKind
from costtrack.models import Budget
from costtrack.reporting.current_counters import whole_figures

BUDGET_LABELS = ("organization", "budget", "name", "metric", "period", "enforcement")


def budget_families() -> tuple[GaugeMetricFamily, ...]:
    """Limit, spent, held: new ones, without samples."""
    told = {
        "limit": "What may be used in a period, in the budget's metric; none where it is unlimited.",
        "spent": "What is used in the period that is under way.",
        "held": "What calls that are being made may use at most, leases of Redis included.",
    }
    return tuple(
        GaugeMetricFamily(f"costtrack_budget_{name}", text, labels=BUDGET_LABELS) for name, text in told.items()
    )


def collect_budgets(*, now: datetime) -> Iterator[Metric]:
    """Of the active budgets with one counter for their whole scope; the oldest ones, up to METRICS_MAX_SERIES."""
    limit, spent, held = budget_families()
    rows = Budget.objects.using(settings.database).filter(is_active=True, per="").select_related("organization")
    budgets = list(rows.order_by("pk")[: settings.metrics_max_series])
    figures = whole_figures(budgets, now=now, using=settings.database)
    for budget in budgets:
        _, current = figures[budget.pk]
        labels = (
            budget.organization.slug,
            str(budget.pk),
            budget.name,
            budget.metric,
            budget.period,
            budget.enforcement,
        )
        if budget.limit is not None:
            limit.add_metric(labels, float(budget.limit))
        spent.add_metric(labels, float(current.spent))
        held.add_metric(labels, float(current.held + current.leased))
    yield from (limit, spent, held)


def health_families() -> tuple[Metric, ...]:
    """Of metering on this machine: new ones, without samples."""
    return (
        GaugeMetricFamily("costtrack_spool_bytes", "Of the spool's directory."),
        GaugeMetricFamily("costtrack_spool_max_bytes", "What it may hold."),
        GaugeMetricFamily("costtrack_spool_unflushed_bytes", "Of events that are not in the ledger yet."),
        GaugeMetricFamily("costtrack_spool_oldest_unflushed_seconds", "The age of the oldest of them."),
        GaugeMetricFamily("costtrack_spool_segments", "Files of the spool.", labels=("kind",)),
        CounterMetricFamily("costtrack_spool_events", "What became of the spool's events.", labels=("outcome",)),
        CounterMetricFamily("costtrack_flush_errors", "Failed attempts to write to the database."),
        GaugeMetricFamily("costtrack_dead_letters", "Events that could not be booked, and wait for somebody."),
        GaugeMetricFamily("costtrack_database_up", "1 if the database answers."),
        GaugeMetricFamily("costtrack_problems", "What `costtrack_doctor` would tell of metering."),
    )


def collect_health() -> Iterator[Metric]:
    """Of all processes that use this machine's spool."""
    health = metering_health()
    families = health_families()
    (used, most, unflushed, oldest, segments, events, errors, letters, database, problems) = families
    used.add_sample(used.name, {}, health.spool.bytes)
    most.add_sample(most.name, {}, health.spool_max_bytes)
    unflushed.add_sample(unflushed.name, {}, health.spool.unbooked_bytes)
    oldest.add_sample(oldest.name, {}, health.spool.oldest_unflushed_seconds)
    for kind in SegmentKind:
        segments.add_sample(segments.name, {"kind": kind.value}, health.spool.count(kind))
    for outcome, count in health.counters.items():
        if outcome != "flush_errors":
            events.add_sample(f"{events.name}_total", {"outcome": outcome}, count)
    errors.add_sample(f"{errors.name}_total", {}, health.counters["flush_errors"])
    letters.add_sample(letters.name, {}, health.dead_letters)
    database.add_sample(database.name, {}, 0 if health.database_error else 1)
    problems.add_sample(problems.name, {}, len(health.problems))
    yield from families
