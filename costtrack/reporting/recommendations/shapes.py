"""Recommendations as plain values for JSON: money as decimal strings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from costtrack.domain.money import decimal_text
from costtrack.domain.periods import DayRange, ZoneHistory
from costtrack.reporting.recommendations import Recommendation, savings_by_kind
from costtrack.reporting.shapes import cost_text


def recommendations_shape(found: Sequence[Recommendation], *, days: DayRange, zone: ZoneHistory) -> dict[str, Any]:
    """All of them, and the savings of each kind: those of different kinds may be about the same calls."""
    return {
        "period_start": zone.start_of(days.start).isoformat(),
        "period_end": zone.start_of(days.end).isoformat(),
        "savings_by_kind": {kind.value: decimal_text(saving) for kind, saving in savings_by_kind(found).items()},
        "recommendations": [recommendation_shape(one) for one in found],
    }


def recommendation_shape(one: Recommendation) -> dict[str, Any]:
    """One of them."""
    return {
        "kind": one.kind.value,
        "title": one.title,
        "saving_usd": cost_text(one.saving_usd),
        "cost_usd": cost_text(one.cost_usd),
        "calls": one.calls,
        "scope": dict(one.scope),
        "explanation": one.explanation,
        "condition": one.condition,
        "confidence": one.confidence.value,
    }
