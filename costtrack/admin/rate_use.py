"""Whether a rate has priced usage: it decides what may be done with it, and is told to superusers only.

Of a rate that is everybody's it tells that somebody uses it, perhaps another organization.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from costtrack.admin.bases import ModelAdmin
from costtrack.admin.scoping import person_of
from costtrack.models import Rate

TELLS_OF_USE = "is_used"


def is_used(rate: Rate | None) -> bool:
    """Whether the rate has priced usage."""
    return rate is not None and rate.is_used


class UseUntoldAdmin(ModelAdmin[Rate]):
    """A screen of rates that tells who is no superuser nothing of their use: no column, filter, field or lookup."""

    def get_list_display(self, request: HttpRequest) -> Any:
        """Django's, without it."""
        return self._told(request, super().get_list_display(request))

    def get_list_filter(self, request: HttpRequest) -> Any:
        """Django's, without it."""
        return self._told(request, super().get_list_filter(request))

    def get_fieldsets(self, request: HttpRequest, obj: Rate | None = None) -> Any:
        """Django's, without it."""
        return [
            (title, {**options, "fields": self._told(request, options["fields"])})
            for title, options in super().get_fieldsets(request, obj)
        ]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Django's, without it."""
        return bool(self._told(request, [lookup.split("__")[0]])) and super().lookup_allowed(lookup, value, request)

    def _told(self, request: HttpRequest, names: Any) -> list[Any]:
        return [name for name in names if name != TELLS_OF_USE or person_of(request).is_superuser]
