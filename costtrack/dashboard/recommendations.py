"""What would cost less, how much, and how that was worked out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache

from costtrack.dashboard.addresses import Choice, address
from costtrack.dashboard.pages import Page
from costtrack.dashboard.periods import day_text
from costtrack.dashboard.words import instant_words
from costtrack.domain.periods import DayRange
from costtrack.models import Organization
from costtrack.reporting.recommendations import Recommendation, recommendations
from costtrack.reporting.wording import one_line, usd_text

LOOKS_BACK = timedelta(days=30)
KEPT_SECONDS = 3600
"""How long the same is shown: it is about weeks, and reads every call of them."""
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
        found, worked_out_at = kept_recommendations(organization, DayRange(end - LOOKS_BACK, end), now=self.now)
        return {
            "lines": [_line(one) for one in found],
            "worked_out_at": instant_words(worked_out_at, zone=self.zone),
            "since": day_text(end - LOOKS_BACK),
            "until": day_text(self.today),
            "days": LOOKS_BACK.days,
        }

    def _choices(self) -> list[Choice]:
        return [_choice(one) for one in self.granted]


def kept_recommendations(
    organization: Organization, days: DayRange, *, now: datetime
) -> tuple[Sequence[Recommendation], datetime]:
    """The recommendations, and when they were worked out: at most an hour ago."""
    key = f"costtrack-recommendations-{organization.pk}-{days.start}-{days.end}"
    kept: tuple[Sequence[Recommendation], datetime] | None = cache.get(key)
    if kept is None:
        kept = recommendations(organization, start=days.start, end=days.end), now
        cache.set(key, kept, KEPT_SECONDS)
    return kept


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
