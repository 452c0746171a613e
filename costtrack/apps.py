"""The Django app."""

from __future__ import annotations

from django.apps import AppConfig, apps
from django.utils.translation import gettext_lazy as _


class CostTrackConfig(AppConfig):
    """costtrack: metering, pricing and exact books for LLM, tool and GPU spend."""

    name = "costtrack"
    label = "costtrack"
    verbose_name = _("Cost tracking")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks, and let thresholds be looked at when usage is counted."""
        from costtrack import checks  # noqa: F401
        from costtrack.alerts.at_once import connect

        connect()
        if apps.is_installed("drf_spectacular"):
            from costtrack.api.openapi import extensions  # noqa: F401 - importing them is what registers them
