"""The site's HTTP requests: counted in each process, and read of all of them where they share a directory.

With PROMETHEUS_MULTIPROC_DIR, prometheus_client writes each process's figures to files there; without, a process knows
its own alone.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector

OTHER = "other"
NO_VIEW = "none"
"""The endpoint of a request that no view answers."""
MAX_ENDPOINTS = 200
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
"""Seconds. A request that waits for a model takes some, and one that streams its answer some more."""

# In no registry: the site's own may have metrics of these names, and is asked of by whoever registers our collector.
REQUESTS = Counter(
    "api_requests_total", "HTTP requests that were answered.", ("method", "endpoint", "status"), registry=None
)
LATENCY = Histogram(
    "api_request_latency_seconds",
    "From the request to the end of its answer; of a streamed one to the end of the stream.",
    ("method", "endpoint"),
    buckets=BUCKETS,
    registry=None,
)
ACTIVE = Gauge(
    "api_active_requests", "HTTP requests that are being answered.", registry=None, multiprocess_mode="livesum"
)
METRICS = (REQUESTS, LATENCY, ACTIVE)


class _Endpoints:
    """The endpoints that have a name of their own: the first ones that are asked for; those past the cap share one."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._lock = threading.Lock()

    def label(self, name: str) -> str:
        """The name, or `other`."""
        if name in self._known:
            return name
        with self._lock:
            if len(self._known) < MAX_ENDPOINTS:
                self._known.add(name)
                return name
        return OTHER


endpoints = _Endpoints()


def count_request(*, method: str, endpoint: str, status: int, seconds: float) -> None:
    """One that was answered."""
    method, endpoint = method if method in METHODS else OTHER, endpoints.label(endpoint or NO_VIEW)
    REQUESTS.labels(method, endpoint, str(status)).inc()
    LATENCY.labels(method, endpoint).observe(seconds)


def collect_requests() -> Iterator[Metric]:
    """What all processes have counted, or, without a directory, this one."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        for metric in METRICS:
            yield from metric.collect()
        return
    ours = {described.name for metric in METRICS for described in metric.describe()}
    shared: Any = MultiProcessCollector  # it has no types
    for found in shared(None).collect():
        if found.name.removesuffix("_total") in ours:
            yield found
