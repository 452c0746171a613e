"""Coverage of the rates: what was used and has no price, and what each of the prices in use is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from costtrack.dashboard.exports import export_links
from costtrack.dashboard.links import admin_address
from costtrack.dashboard.pages import Page
from costtrack.dashboard.periods import day_text
from costtrack.dashboard.words import share_text
from costtrack.domain.periods import DayRange
from costtrack.reporting.unpriced import UnpricedUsage, unpriced_usage
from costtrack.reporting.wording import one_line

LOOKS_BACK = timedelta(days=90)


class RatesPage(Page):
    """Models that were seen and have no rate."""

    name = "rates"
    heading = "Rates"
    template_name = "costtrack/dashboard/rates.html"

    def content(self) -> dict[str, Any]:
        """The ones that were used most, first."""
        days = DayRange(self.today - LOOKS_BACK, self.today + timedelta(days=1))
        coverage = unpriced_usage(days, organizations=self.organizations)
        slug = None if self.organization is None else self.organization.slug
        return {
            "days": int(LOOKS_BACK.days),
            "calls": f"{coverage.calls:,}",
            "unpriced": f"{coverage.unpriced_calls:,}",
            "covered": share_text(coverage.calls - coverage.unpriced_calls, coverage.calls, places=2),
            "models": [self._line(one) for one in coverage.models],
            "others": coverage.others,
            "rates_href": admin_address(self.request, "rate_changelist"),
            "exports": export_links("rates", {"organization": slug}),
        }

    def _line(self, one: UnpricedUsage) -> dict[str, str]:
        return {
            "model": one_line(one.model),
            "provider": one_line(one.provider),
            "resource_type": one_line(one.resource_type),
            "calls": f"{one.unpriced_calls:,}",
            "last": day_text(one.last_day),
            "add_href": admin_address(
                self.request, "rate_add", provider=one.provider, model=one.model, resource_type=one.resource_type
            ),
        }
