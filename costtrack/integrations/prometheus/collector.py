"""CostTrackCollector: all of it, for any registry of prometheus_client."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from django.db import connections
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from costtrack.conf import settings
from costtrack.integrations.prometheus.costs import collect_costs, families
from costtrack.integrations.prometheus.requests import METRICS, collect_requests
from costtrack.integrations.prometheus.standing import (
    budget_families,
    collect_budgets,
    collect_health,
    health_families,
)
from costtrack.reporting.read_limit import limited_reading

logger = logging.getLogger("costtrack")


class CostTrackCollector(Collector):
    """Costs, tokens and budgets as the database has them, the spool of this machine, and the site's requests.

    Register it in one registry. `requests=False` leaves the requests out: for a registry that has a
    MultiProcessCollector of its own, which knows them. A part that fails is left out, and told by
    `costtrack_collect_failures`.
    """

    def __init__(self, *, requests: bool = True) -> None:
        self._requests = requests

    def describe(self) -> Iterable[Metric]:
        """The names, without asking the database: it is registered before that is there."""
        yield from families()
        yield from budget_families()
        yield from health_families()
        yield _failures()
        if self._requests:
            for metric in METRICS:
                yield from metric.describe()

    def collect(self) -> Iterator[Metric]:
        """The figures as they are now. Raises nothing."""
        now = timezone.now()
        parts: dict[str, Callable[[], Iterable[Metric]]] = {
            "costs": partial(_reading, partial(collect_costs, now=now)),
            "budgets": partial(_reading, partial(collect_budgets, now=now)),
            "metering": collect_health,
        }
        if self._requests:
            parts["requests"] = collect_requests
        failures = _failures()
        for name, part in parts.items():
            try:
                found = list(part())
            except Exception:  # the boundary: one that fails, as the database may, must not hide the others
                logger.exception("The metrics of %s can not be collected.", name)
                found = []
            failures.add_metric((name,), 0 if found else 1)
            yield from found
        yield failures


def _failures() -> GaugeMetricFamily:
    return GaugeMetricFamily("costtrack_collect_failures", "1: these figures could not be collected.", labels=("part",))


def _reading(part: Callable[[], Iterable[Metric]]) -> list[Metric]:
    """In one transaction of bounded statements; the connection is left as a request would leave it."""
    try:
        with limited_reading(settings.database):
            return list(part())
    finally:
        connection = connections[settings.database]
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
