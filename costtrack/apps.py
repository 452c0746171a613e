"""The Django app."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CostTrackConfig(AppConfig):
    """costtrack: metering, pricing and exact books for LLM, tool and GPU spend."""

    name = "costtrack"
    label = "costtrack"
    verbose_name = _("Cost tracking")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks."""
        from costtrack import checks  # noqa: F401
