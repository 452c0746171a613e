"""Usage that suggests something, the short way."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from costtrack.metering.ledger import record_events
from costtrack.models import Organization, Project
from costtrack.reporting.recommendations import Recommendation, RecommendationKind, recommendations
from tests.factories import NOON, make_event

NOVEMBER = {"start": date(2026, 11, 1), "end": date(2026, 12, 1)}
DIGEST = {"project": "website", "agent": "writer", "endpoint": "digest"}


def book_calls(count: int, *tokens: int, minutes: int = 0, **fields: Any) -> None:
    """So many calls of agent website/writer for the endpoint digest, all at noon or so many minutes apart."""
    attribution = {**DIGEST, **fields.pop("attribution", {})}
    record_events(
        [
            make_event(
                *tokens, attribution=attribution, occurred_at=NOON + timedelta(minutes=minutes * index), **fields
            )
            for index in range(count)
        ]
    )


def recommended(
    organization: Organization, kind: RecommendationKind, *, project: Project | None = None, **more: Any
) -> list[Recommendation]:
    """Those of a kind for November."""
    found = recommendations(organization, **NOVEMBER, project=project, **more)
    return [one for one in found if one.kind == kind]
