"""What would cost less, how much, and how that was worked out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from costtrack.dashboard.addresses import Choice, address
from costtrack.dashboard.pages import Page
from costtrack.dashboard.periods import day_text
from costtrack.models import Organization
from costtrack.reporting.recommendations import Recommendation, recommendations
from costtrack.reporting.wording import one_line, usd_text

LOOKS_BACK = timedelta(days=30)
SCOPE_ORDER = ("project", "agent", "endpoint", "provider", "model", "target_model", "budget", "subject")


class RecommendationsPage(Page):
    """Recommendations for one organization: savings of several can not be compared."""

    name = "recommendations"
    heading = "Savings"
    template_name = "costtrack/dashboard/recommendations.html"

    def content(self) -> dict[str, Any]:
        """The largest saving first; which organization, where none is asked for."""
        organization = self.organization
        if organization is None:
            return {"lines": None, "organizations_to_choose": self._choices()}
        end = self.today + timedelta(days=1)
        found = recommendations(organization, start=end - LOOKS_BACK, end=end)
        return {
            "lines": [_line(one) for one in found],
            "since": day_text(end - LOOKS_BACK),
            "until": day_text(self.today),
            "days": LOOKS_BACK.days,
        }

    def _choices(self) -> list[Choice]:
        return [_choice(one) for one in self.granted]


def _choice(organization: Organization) -> Choice:
    href = address("recommendations", organization=organization.slug)
    return Choice(label=one_line(str(organization)), href=href, is_current=False)


def _line(found: Recommendation) -> Mapping[str, Any]:
    scope = [(name.replace("_", " "), found.scope[name]) for name in SCOPE_ORDER if found.scope.get(name)]
    return {
        "title": one_line(found.title),
        "kind": found.kind.value.replace("_", " "),
        "explanation": found.explanation,
        "condition": found.condition,
        "confidence": found.confidence.value,
        "scope": [(name, one_line(value)) for name, value in scope],
        "saving": "" if found.saving_usd is None else usd_text(found.saving_usd),
        "cost": "" if found.cost_usd is None else usd_text(found.cost_usd),
        "calls": f"{found.calls:,}",
    }
