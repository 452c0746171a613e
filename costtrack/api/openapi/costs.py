"""Periods, the trend and conversations."""

from __future__ import annotations

from typing import Any

from costtrack.api import views
from costtrack.api.openapi.described import JSON, Answer, Component, Operation, json_answer
from costtrack.api.openapi.parameters import count, parameter
from costtrack.api.openapi.values import (
    A_DAY,
    A_NAME,
    AN_INSTANT,
    COST,
    DAY,
    DECIMAL,
    INSTANT,
    INTEGER,
    TEXT,
    about,
    by_name,
    list_of,
    nullable,
    record,
)

UNPRICED = Component(
    "UnpricedCalls",
    {
        "description": "How many of the calls have no known price: the cost leaves them out.",
        "required": True,
        "schema": INTEGER,
    },
    "headers",
)
HEADERS = {views.UNPRICED_HEADER: UNPRICED}

PERIOD_FIELDS: dict[str, Any] = {
    "period_start": INSTANT,
    "period_end": about(INSTANT, "Exclusive: the first instant after the period."),
    "total_cost": COST,
    "total_tokens": INTEGER,
    "total_calls": INTEGER,
    "cost_by_model": by_name(COST, "By model, the dearest first."),
    "cost_by_endpoint": by_name(COST, 'By endpoint, the dearest first; "" where usage has none.'),
    "avg_cost_per_call": about(COST, "Per call with a known price."),
    "avg_tokens_per_call": DECIMAL,
}
PERIOD = Component("Period", record(PERIOD_FIELDS, description="What a period cost."))
CONVERSATION = Component(
    "Conversation",
    record(
        {**PERIOD_FIELDS, "first_call": nullable(INSTANT), "last_call": nullable(INSTANT)},
        description="What a conversation cost; its period are the days that it has usage on.",
    ),
)
DAY_COST = Component("DayCost", record({"date": DAY, "cost": COST}))
CONVERSATION_COST = Component("ConversationCost", record({"conversation_id": TEXT, "total_cost": COST}))
PERIODS = (
    ("daily", views.DailyView),
    ("weekly", views.WeeklyView),
    ("monthly", views.MonthlyView),
)
EDGE: dict[str, Any] = {"anyOf": [A_DAY, AN_INSTANT]}

OPERATIONS = (
    *(
        Operation(
            view=view,
            id=f"get_{name}_costs",
            tag="costs",
            answers={200: Answer(about="The period.", content={JSON: PERIOD}, headers=HEADERS)},
        )
        for name, view in PERIODS
    ),
    Operation(
        view=views.TrendView,
        id="get_trend",
        tag="costs",
        answers={200: json_answer("A date and a cost per day, oldest first.", list_of(DAY_COST))},
        query={"days": parameter("days", count(1, views.MAX_DAYS, 30), "How many days, up to today.")},
    ),
    Operation(
        view=views.ConversationView,
        id="get_conversation",
        tag="costs",
        answers={200: Answer(about="The conversation.", content={JSON: CONVERSATION}, headers=HEADERS)},
        path={
            "conversation_id": parameter(
                "conversation_id", {**A_NAME, "examples": ["t1"]}, "Its `thread_id`.", place="path"
            )
        },
    ),
    Operation(
        view=views.TopConversationsView,
        id="list_top_conversations",
        tag="costs",
        answers={200: json_answer("The dearest first.", list_of(CONVERSATION_COST))},
        query={
            "limit": parameter("limit", count(1, views.MAX_TOP, 10), "How many at most."),
            "period_start": parameter("period_start", EDGE, "The first day, or the local midnight that it begins at."),
            "period_end": parameter("period_end", EDGE, "The first day after the period, or its midnight."),
        },
    ),
)
