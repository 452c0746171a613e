"""Metrics of several processes: the directory that they share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, register

MIDDLEWARE = "costtrack.integrations.prometheus.RequestMetricsMiddleware"
VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


@register("costtrack")
def check_metrics_directory(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Return an error when requests are to be counted by several processes in a directory that can not be used."""
    directory = os.environ.get(VARIABLE)
    if directory is None or MIDDLEWARE not in django_settings.MIDDLEWARE:
        return []
    if os.path.isdir(directory) and os.access(directory, os.W_OK | os.X_OK):
        return []
    return [
        Error(
            f"{VARIABLE} is {directory!r}, which is no directory that this user may write.",
            hint="Make it before the server starts, and empty it then: it has the metrics of this start's processes. "
            "Or leave the variable out where there is one process.",
            id="costtrack.E042",
        )
    ]
