"""Prometheus: what is spent, how budgets stand, how metering fares, and the site's requests, as metrics.

    path("metrics", metrics)                                                        # in urls.py
    "costtrack.integrations.prometheus.RequestMetricsMiddleware"                    # first in MIDDLEWARE, for requests

or `REGISTRY.register(CostTrackCollector())` where the site has metrics of its own. Needs the extra `prometheus`.
"""

from __future__ import annotations

from costtrack.integrations.needed import needed

needed("prometheus_client", install="pip install 'costtrack[prometheus]'")

from costtrack.integrations.prometheus.collector import CostTrackCollector  # noqa: E402 - after what it needs is there
from costtrack.integrations.prometheus.middleware import RequestMetricsMiddleware  # noqa: E402
from costtrack.integrations.prometheus.views import metrics  # noqa: E402

__all__ = ["CostTrackCollector", "RequestMetricsMiddleware", "metrics"]
