"""Recommendation: what would cost less, how much, and how that was worked out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class RecommendationKind(StrEnum):
    """What is recommended. Within one kind no call counts twice; one call may stand in several kinds."""

    CHEAPER_MODEL = "cheaper_model"
    PROMPT_CACHING = "prompt_caching"
    BATCH = "batch"
    FAILURES = "failures"
    RETRIES = "retries"
    IDLE_RESERVATIONS = "idle_reservations"
    NEAR_LIMIT = "near_limit"


class Confidence(StrEnum):
    """How much of the saving the records tell, and how much is an assumption."""

    HIGH = "high"
    """All of it is in the records."""
    MEDIUM = "medium"
    """The figures are in the records; whether the calls can be changed so is for people to say."""
    LOW = "low"
    """It rests on an assumption that the condition names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """One thing to change. Savings of different kinds must not be added up: they may be about the same calls."""

    kind: RecommendationKind
    title: str
    """What to do, in one line."""
    explanation: str
    """How the saving was worked out, with its figures."""
    condition: str
    """What has to hold for it, or what was assumed."""
    confidence: Confidence
    scope: Mapping[str, str]
    """What it is about: `organization`, and those that apply of `project`, `agent`, `endpoint`, `provider`, `model`,
    `target_model`, `budget`, `subject`. Slugs and names, as the ledger has them."""
    calls: int = 0
    """How many calls, or reservations, it is about."""
    cost_usd: Decimal | None = None
    """What they are booked with; None where it is not about a cost."""
    saving_usd: Decimal | None = None
    """What would have been saved in the period; None where it is not money that is saved."""
