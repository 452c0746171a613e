"""Recommendations: what would cost less, each with its saving in US dollars and how that was worked out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal

from django.utils import timezone

from costtrack.conf import settings
from costtrack.domain.money import EXACT
from costtrack.domain.periods import DayRange
from costtrack.models import Agent, Organization, Project
from costtrack.pricing.ratebook import current_ratebook
from costtrack.reporting.ledger_rows import ledger_rows
from costtrack.reporting.named import organization_named
from costtrack.reporting.recommendations.asked import Asked, traffic_of
from costtrack.reporting.recommendations.batch import batchable_calls
from costtrack.reporting.recommendations.cheaper_model import cheaper_models
from costtrack.reporting.recommendations.failures import costly_failures
from costtrack.reporting.recommendations.idle_reservations import idle_reservations
from costtrack.reporting.recommendations.near_limits import agents_near_limits
from costtrack.reporting.recommendations.prompt_caching import uncached_prompts
from costtrack.reporting.recommendations.recommendation import Confidence, Recommendation, RecommendationKind

__all__ = ["Confidence", "Recommendation", "RecommendationKind", "largest_first", "recommendations", "savings_by_kind"]

KINDS = (cheaper_models, uncached_prompts, batchable_calls, costly_failures, idle_reservations, agents_near_limits)


def recommendations(
    organization: Organization | str,
    *,
    start: date,
    end: date,
    project: Project | None = None,
    agent: Agent | None = None,
    now: datetime | None = None,
) -> list[Recommendation]:
    """What the usage of the organization's local days `[start, end)` suggests, the largest saving first.

    With `project`, or `agent`, only what its own usage suggests. Savings of one kind are about different calls and may
    be added up; those of different kinds may not. Budgets are told as they stand `now`. Reads only, and of the ledger
    what the summaries show to be worth it. Raises ValueError for an end before the start, and
    UnknownOrganization for a slug that is none.
    """
    organization = organization_named(organization)
    days, owner = DayRange(start, end), agent or project
    asked = Asked(
        organization=organization,
        owner=owner,
        days=days,
        now=now or timezone.now(),
        ledger=ledger_rows(organizations=[organization], owner=owner, days=days),
        traffic=traffic_of(organization, days, owner=owner),
        book=current_ratebook(using=settings.database),
    )
    return largest_first(one for kind in KINDS for one in kind(asked))


def largest_first(found: Iterable[Recommendation]) -> list[Recommendation]:
    """The largest saving first, those without one last, equal ones by kind and title."""
    return sorted(found, key=lambda one: (one.saving_usd is None, -(one.saving_usd or 0), one.kind, one.title))


def savings_by_kind(found: Iterable[Recommendation]) -> Mapping[RecommendationKind, Decimal]:
    """What those of each kind would save together. There is no total: kinds may be about the same calls."""
    savings: dict[RecommendationKind, Decimal] = {}
    for one in found:
        if one.saving_usd is not None:
            savings[one.kind] = EXACT.add(savings.get(one.kind, Decimal(0)), one.saving_usd)
    return savings
