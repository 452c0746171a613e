"""Recommendations as they were found last; `costtrack.jobs.recommendations` writes them."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from costtrack.models.tenancy import Organization


class FoundRecommendations(models.Model):
    """What was recommended to one organization last, so that whoever opens the page does not wait for it."""

    organization = models.OneToOneField(Organization, on_delete=models.CASCADE, related_name="found_recommendations")
    start = models.DateField(help_text=_("The first of the organization's local dates that were looked at."))
    end = models.DateField(help_text=_("The one after the last."))
    found_at = models.DateTimeField()
    found = models.JSONField(help_text=_("As the API gives them, the largest saving first."))

    class Meta:
        """One row for each organization; no admin: the next run writes it anew."""

        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(end__gt=models.F("start")), name="costtrack_foundrecommendations_end_after_start"
            ),
        ]

    def __str__(self) -> str:
        """Whose, and when."""
        return f"{self.organization} at {self.found_at:%Y-%m-%d %H:%M:%S}"
