"""What was recommended to an organization last: a job looks once a day, because each rule reads every call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from costtrack.conf import settings
from costtrack.domain.periods import DayRange
from costtrack.models import FoundRecommendations, Organization
from costtrack.reporting.recommendations import recommendations
from costtrack.reporting.recommendations.shapes import recommendation_shape

LOOKS_BACK = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found in some days."""

    days: DayRange
    at: datetime
    recommendations: Sequence[Mapping[str, Any]]
    """As the API gives them, the largest saving first."""


def found_recommendations(organization: Organization) -> Found | None:
    """What was found last; None: nobody has looked yet (one query)."""
    kept = FoundRecommendations.objects.using(settings.database).filter(organization=organization).first()
    if kept is None:
        return None
    return Found(days=DayRange(kept.start, kept.end), at=kept.found_at, recommendations=kept.found)


def find_recommendations(organization: Organization, *, now: datetime) -> Found:
    """Look what the last 30 local days suggest, today included; it takes as long as there are calls."""
    end = organization.zone_history().day_of(now) + timedelta(days=1)
    days = DayRange(end - LOOKS_BACK, end)
    found = recommendations(organization, start=days.start, end=days.end, now=now)
    return Found(days=days, at=now, recommendations=[recommendation_shape(one) for one in found])
