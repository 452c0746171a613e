"""What the host's own things cost."""

from __future__ import annotations

from costtrack.api import views
from costtrack.api.openapi.costs import DAY_COST
from costtrack.api.openapi.described import Component, Operation, json_answer
from costtrack.api.openapi.parameters import count, parameter
from costtrack.api.openapi.values import (
    A_NAME,
    COST,
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

TOTALS = {"total_cost": COST, "total_tokens": INTEGER, "total_calls": INTEGER, "unpriced_calls": INTEGER}
RESOURCE = Component(
    "EntityResource",
    record(
        {
            "resource_type": TEXT,
            "amount": about(DECIMAL, "Units of the resource type."),
            "cost": COST,
            "calls": INTEGER,
        }
    ),
)
ENTITY = Component(
    "Entity",
    record(
        {
            "entity_type": TEXT,
            "entity_id": TEXT,
            **TOTALS,
            "first_call": nullable(INSTANT),
            "last_call": nullable(INSTANT),
            "resources": list_of(RESOURCE),
            "cost_by_model": by_name(COST, "The dearest first."),
            "cost_by_day": list_of(DAY_COST),
        },
        description="What one entity used and cost.",
    ),
)
ENTITY_COST = Component("EntityCost", record({"entity_id": TEXT, "total_cost": COST}))
ENTITY_TYPE = Component(
    "EntityType",
    record(
        {
            "entity_type": TEXT,
            "entities": about(INTEGER, "How many there are."),
            **TOTALS,
            "avg_cost_per_entity": COST,
            "top_entities": list_of(ENTITY_COST),
        },
        description="All entities of one type, and the dearest.",
    ),
)
KIND = parameter(
    "entity_type", {**A_NAME, "examples": ["job"]}, "What kind of thing: `job`, `hypothesis` ...", place="path"
)

OPERATIONS = (
    Operation(
        view=views.EntityTypeView,
        id="get_entity_type",
        tag="entities",
        answers={200: json_answer("The type.", ENTITY_TYPE)},
        path={"entity_type": KIND},
        query={"limit": parameter("limit", count(1, views.MAX_TOP, 10), "How many of the dearest.")},
    ),
    Operation(
        view=views.EntityView,
        id="get_entity",
        tag="entities",
        answers={200: json_answer("The entity.", ENTITY)},
        path={
            "entity_type": KIND,
            "entity_id": parameter("entity_id", {**A_NAME, "examples": ["42"]}, "Which one.", place="path"),
        },
    ),
)
