"""Who asks, what is granted, and how metering fares."""

from __future__ import annotations

from typing import Any

from costtrack.access.principals import ROLES
from costtrack.api.health import HealthView
from costtrack.api.me import MeView
from costtrack.api.openapi.budgets import BUDGET_STATUS
from costtrack.api.openapi.described import Component, Operation, json_answer
from costtrack.api.openapi.values import (
    COUNT,
    FLAG,
    INSTANT,
    NUMBER,
    TEXT,
    about,
    choice,
    list_of,
    nullable,
    record,
)
from costtrack.metering.spool.counters import NAMES
from costtrack.metering.spool.state import SegmentKind
from costtrack.models import AgentKey

KEY = Component(
    "Key",
    record(
        {
            "prefix": about(TEXT, "Names the key; no secret."),
            "name": TEXT,
            "scopes": list_of(choice("KeyScope", AgentKey.Scope.values)),
            "project": about(nullable(TEXT), "The slug of the only project that it is for."),
            "agent": nullable(TEXT),
            "expires_at": nullable(INSTANT),
        },
        description="The key that was shown.",
    ),
)
ROLE = choice("Role", [role.value for role in ROLES])
GRANTED = Component(
    "GrantedOrganization",
    record({"organization": about(TEXT, "Its slug."), "name": TEXT, "timezone": TEXT, "role": nullable(ROLE)}),
)
ME = Component(
    "Me",
    record(
        {
            "user": about(nullable(TEXT), "null: a key asks."),
            "key": nullable(KEY),
            "is_superuser": FLAG,
            "organizations": list_of(GRANTED),
            "budgets": {
                "anyOf": [list_of(BUDGET_STATUS), {"type": "null"}],
                "description": "Those that the key's usage counts in; null: a person asks.",
            },
        }
    ),
)

COUNTERS = {name: COUNT for name in NAMES}
HEALTH_FIELDS: dict[str, Any] = {
    "status": choice("HealthStatus", ("ok", "degraded")),
    "problems": list_of(TEXT),
    "transport": TEXT,
    "spool": record(
        {
            "directory": TEXT,
            "bytes": COUNT,
            "max_bytes": COUNT,
            "segments": record({kind.value: COUNT for kind in SegmentKind}),
            "unflushed_bytes": COUNT,
            "oldest_unflushed_seconds": {**NUMBER, "minimum": 0},
        }
    ),
    "counters": about(record(COUNTERS), "Of all processes of this machine."),
    "counters_of_this_process": record({**COUNTERS, "lost": COUNT}),
    "dead_letters": COUNT,
    "last_error": TEXT,
    "subscribers": list_of(
        record({"name": TEXT, "delivered": COUNT, "raised": COUNT, "dropped": COUNT, "behind": COUNT})
    ),
}
HEALTH = Component("Health", record(HEALTH_FIELDS))

OPERATIONS = (
    Operation(view=MeView, id="get_me", tag="account", answers={200: json_answer("The caller.", ME)}),
    Operation(
        view=HealthView,
        id="get_health",
        tag="operation",
        answers={
            200: json_answer("All is well.", HEALTH),
            503: json_answer("Someone should look into it; the body says what.", HEALTH),
        },
    ),
)
