"""Looking for what would cost less, and keeping it for whoever opens the page."""

from __future__ import annotations

from django.utils import timezone

from costtrack.conf import settings
from costtrack.jobs.runs import job_run
from costtrack.models import FoundRecommendations, Organization
from costtrack.reporting.recommendations.found import Found, find_recommendations


def look_for_recommendations() -> int:
    """Look anew for each organization; how many there are."""
    with job_run("find_recommendations"):
        organizations = list(Organization.objects.using(settings.database))
        for organization in organizations:
            keep_recommendations(organization, find_recommendations(organization, now=timezone.now()))
    return len(organizations)


def keep_recommendations(organization: Organization, found: Found) -> None:
    """In place of what was found before."""
    FoundRecommendations.objects.using(settings.database).update_or_create(
        organization=organization,
        defaults={
            "start": found.days.start,
            "end": found.days.end,
            "found_at": found.at,
            "found": list(found.recommendations),
        },
    )
