"""Models that were used without a price, each with the form of a rate a click away."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.urls.resolvers import URLPattern
from django.utils import timezone
from django.utils.translation import gettext as _

from costtrack.access.principals import Right
from costtrack.admin.rate_files import RateFilesAdmin
from costtrack.admin.scoping import person_of
from costtrack.domain.periods import DayRange
from costtrack.reporting.unpriced import UnpricedUsage, unpriced_usage

DAYS = 90
TEMPLATE = "costtrack/admin/rates_missing.html"


class RatesMissingAdmin(RateFilesAdmin):
    """The screen of rates with that page."""

    def get_urls(self) -> list[URLPattern]:
        """Django's, and that page."""
        view = self.admin_site.admin_view(self.missing_view)
        return [path("missing/", view, name="costtrack_rate_missing"), *super().get_urls()]

    def missing_view(self, request: HttpRequest) -> HttpResponse:
        """What was used without a price in the last 90 days, in the organizations that the person may see."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        person = person_of(request)
        today = timezone.localdate()
        days = DayRange(today - timedelta(days=DAYS), today + timedelta(days=2))
        organizations = None if person.is_superuser else person.organizations(Right.READ)
        coverage = unpriced_usage(days, organizations=organizations)
        may_add = self.has_add_permission(request)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Models seen without a price"),
            "days": DAYS,
            "coverage": coverage,
            "lines": [{"usage": one, "href": _new_rate(one) if may_add else ""} for one in coverage.models],
        }
        return TemplateResponse(request, TEMPLATE, context)


def _new_rate(usage: UnpricedUsage) -> str:
    """The form with what is known; as the first rate of its model it holds for all earlier usage, too."""
    known: dict[str, Any] = {
        "provider": usage.provider,
        "model": usage.model or "*",
        "resource_type": usage.resource_type,
    }
    return f"{reverse('admin:costtrack_rate_add')}?{urlencode(known)}"
