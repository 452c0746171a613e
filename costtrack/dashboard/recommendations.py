"""What would cost less, how much, and how that was worked out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.http import Http404

from costtrack.access.principals import Person
from costtrack.access.rows import may_change
from costtrack.conf import settings
from costtrack.dashboard.actions import ActionPage
from costtrack.dashboard.addresses import Choice, address
from costtrack.dashboard.pages import NotAllowed, Page
from costtrack.dashboard.periods import day_text
from costtrack.dashboard.words import instant_words
from costtrack.jobs.recommendations import keep_recommendations
from costtrack.models import FoundRecommendations, Organization
from costtrack.reporting.read_limit import limited_reading
from costtrack.reporting.recommendations.found import Found, find_recommendations, found_recommendations
from costtrack.reporting.wording import one_line, usd_text

SCOPE_ORDER = ("project", "agent", "endpoint", "provider", "model", "target_model", "budget", "subject")
NOT_YOURS = "Looking anew is for the managers of the organization; else it is done once a day."


class RecommendationsPage(Page):
    """Recommendations for one organization, as they were found last: savings of several can not be compared."""

    name = "recommendations"
    heading = "Savings"
    template_name = "costtrack/dashboard/recommendations.html"

    def content(self) -> dict[str, Any]:
        """The largest saving first; which organization, where none is asked for; who looks, where nobody has yet."""
        organization = self.organization
        if organization is None:
            return {"is_asked": False, "organizations_to_choose": [_choice(one) for one in self.granted]}
        found = found_recommendations(organization)
        look_href = address("look", organization=organization.slug) if may_look(self.person, organization) else ""
        shown = {} if found is None else self._shown(found)
        return {"is_asked": True, "found": found, "look_href": look_href, **shown}

    def _shown(self, found: Found) -> dict[str, Any]:
        days = found.days
        return {
            "lines": [_line(one) for one in found.recommendations],
            "found_at": instant_words(found.at, zone=self.zone),
            "since": day_text(days.start),
            "until": day_text(days.end - timedelta(days=1)),
            "days": (days.end - days.start).days,
        }


class LookPage(ActionPage):
    """Look anew, now, for one organization."""

    def done(self) -> str:
        """Keep what is found; the page of it. Where that takes the database too long, it is left to the job."""
        organization = self.organization
        if organization is None:
            raise Http404("organization: name the one to look at.")
        if not may_look(self.person, organization):
            raise NotAllowed(NOT_YOURS)
        with limited_reading(settings.database):
            found = find_recommendations(organization, now=self.now)
        keep_recommendations(organization, found)
        return address("recommendations", organization=organization.slug)


def may_look(person: Person, organization: Organization) -> bool:
    """Whether the person may have what was found last replaced."""
    return may_change(person, FoundRecommendations(organization=organization))


def _choice(organization: Organization) -> Choice:
    href = address("recommendations", organization=organization.slug)
    return Choice(label=one_line(str(organization)), href=href, is_current=False)


def _line(one: Mapping[str, Any]) -> Mapping[str, Any]:
    scope = [(name.replace("_", " "), one["scope"][name]) for name in SCOPE_ORDER if one["scope"].get(name)]
    return {
        "title": one_line(one["title"]),
        "kind": one["kind"].replace("_", " "),
        "explanation": one["explanation"],
        "condition": one["condition"],
        "confidence": one["confidence"],
        "scope": [(name, one_line(value)) for name, value in scope],
        "saving": _usd(one["saving_usd"]),
        "cost": _usd(one["cost_usd"]),
        "calls": f"{one['calls']:,}",
    }


def _usd(text: str | None) -> str:
    return "" if text is None else usd_text(Decimal(text))
