"""What usage would have cost otherwise, and what that suggests."""

from __future__ import annotations

from typing import Any

from costtrack.api.openapi.costs import EDGE
from costtrack.api.openapi.described import Component, Operation, json_answer
from costtrack.api.openapi.parameters import parameter
from costtrack.api.openapi.values import (
    A_NAME,
    COST,
    INSTANT,
    INTEGER,
    TEXT,
    USD,
    about,
    by_name,
    choice,
    list_of,
    nullable,
    record,
)
from costtrack.api.what_if import RecommendationsView, WhatIfView
from costtrack.domain.tokens import TOKEN_FIELDS
from costtrack.reporting.recommendations import Confidence, RecommendationKind
from costtrack.reporting.what_if.comparison import ReadFrom
from costtrack.reporting.what_if.other_prices import NoPrice

EDGES = {"period_start": INSTANT, "period_end": about(INSTANT, "Exclusive.")}
DAYS = {
    "from": parameter("from", EDGE, "The first day, or its midnight; by default that of the last day's month."),
    "to": parameter("to", EDGE, "The first day after the period, or its midnight; by default tomorrow."),
}
FIGURES: dict[str, Any] = {
    "calls": INTEGER,
    **dict.fromkeys(TOKEN_FIELDS, INTEGER),
    "booked_usd": about(COST, "What is booked for those that have a cost; null: none has."),
    "unpriced_calls": about(INTEGER, "Calls without a cost so far."),
    "what_if_usd": about(COST, "What those that can be priced would have cost; null: none can."),
    "not_priced_calls": about(INTEGER, "Calls that can not be priced: their cost would be unknown, which is not 0."),
    "compared_calls": about(INTEGER, "Calls that have a cost on both sides."),
    "compared_booked_usd": about(USD, "What is booked for the compared ones."),
    "compared_what_if_usd": about(USD, "What they would have cost."),
    "difference_usd": about(COST, "What they would have cost more; negative: less. null: none can be compared."),
}
NAMES = {"provider": TEXT, "model": TEXT, "resource_type": TEXT}
WHAT_IF = Component(
    "WhatIf",
    record(
        {
            **EDGES,
            "target_model": nullable(TEXT),
            "target_provider": nullable(TEXT),
            "priced_at": about(nullable(INSTANT), "null: by the rates in force when each call was made."),
            "read_from": choice("WhatIfSource", list(ReadFrom)),
            "read_because": about(nullable(TEXT), "Why the ledger had to be read; null: it had not."),
            "total": Component("WhatIfFigures", record(FIGURES)),
            "models": list_of(Component("WhatIfModel", record({**NAMES, **FIGURES}))),
            "not_priced": list_of(
                Component(
                    "WhatIfNotPriced",
                    record(
                        {
                            **NAMES,
                            "service_tier": TEXT,
                            "reason": choice("WhatIfReason", list(NoPrice)),
                            "calls": INTEGER,
                            "booked_usd": USD,
                        }
                    ),
                )
            ),
        },
        description="What calls cost, and what they would have cost on another model.",
    ),
)
RECOMMENDATION = Component(
    "Recommendation",
    record(
        {
            "kind": choice("RecommendationKind", list(RecommendationKind)),
            "title": about(TEXT, "What to do, in one line."),
            "saving_usd": about(COST, "In the period; null: it is not money that is saved."),
            "cost_usd": about(COST, "What the calls are booked with; null: it is not about a cost."),
            "calls": about(INTEGER, "How many calls, or reservations, it is about."),
            "scope": by_name(TEXT, "What it is about: `organization`, `project`, `agent`, `endpoint`, `model` ..."),
            "explanation": about(TEXT, "How the saving was worked out, with its figures."),
            "condition": about(TEXT, "What has to hold for it, or what was assumed."),
            "confidence": choice("RecommendationConfidence", list(Confidence)),
        }
    ),
)
RECOMMENDATIONS = Component(
    "Recommendations",
    record(
        {
            **EDGES,
            "savings_by_kind": by_name(USD, "There is no total: kinds may be about the same calls."),
            "recommendations": list_of(RECOMMENDATION),
        }
    ),
)

OPERATIONS = (
    Operation(
        view=WhatIfView,
        id="get_what_if",
        tag="costs",
        answers={200: json_answer("The comparison.", WHAT_IF)},
        query={
            **DAYS,
            "target_model": parameter(
                "target_model",
                {**A_NAME, "examples": ["gpt-4o-mini"]},
                "The other model, for LLM calls; by default each call stays on its own.",
            ),
            "target_provider": parameter("target_provider", A_NAME, "Its provider, where the id does not say it."),
            "target_gateway": parameter("target_gateway", A_NAME, "Its gateway, if it would be called through one."),
            "at": parameter("at", EDGE, "Price all calls by the rates of this instant, or day."),
        },
    ),
    Operation(
        view=RecommendationsView,
        id="list_recommendations",
        tag="costs",
        answers={200: json_answer("The largest saving first.", RECOMMENDATIONS)},
        query=DAYS,
    ),
)
