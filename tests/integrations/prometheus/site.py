"""Settings of a site that is scraped: the example site's, with metrics of its requests."""

from __future__ import annotations

from project.settings import *  # noqa: F403 - they are the same settings
from project.settings import COSTTRACK, MIDDLEWARE

ALLOWED_HOSTS = ["*"]
MIDDLEWARE = ["costtrack.integrations.prometheus.RequestMetricsMiddleware", *MIDDLEWARE]
ROOT_URLCONF = "tests.integrations.prometheus.urls"
COSTTRACK = {**COSTTRACK, "METRICS_TOKEN": "a-token-for-the-tests"}
