"""People and programs that call the API, and its routes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.test import Client

from costtrack.access.keys import create_key
from costtrack.models import Agent, Membership, Organization, Project

ROOT = "/api/costs/"
NO_UUID = "00000000-0000-0000-0000-000000000000"
NO_ROW = 2**63 - 1
"""The id of no row."""
GET_PATHS = {
    "summary": "summary",
    "daily": "daily",
    "weekly": "weekly",
    "monthly": "monthly",
    "conversation": "conversation/t1",
    "trend": "trend",
    "forecast": "forecast",
    "top-conversations": "top-conversations",
    "report-daily": "report/daily",
    "report-weekly": "report/weekly",
    "report-monthly": "report/monthly",
    "entity-type": "entity/job",
    "entity": "entity/job/1",
    "what-if": "what-if",
    "recommendations": "recommendations",
    "usage": "usage",
    "usage-record": f"usage/{NO_ROW}",
    "budgets": "budgets",
    "budgets-status": "budgets/status",
    "budget": f"budgets/{NO_ROW}",
    "budget-status": f"budgets/{NO_ROW}/status",
    "budget-changes": f"budgets/{NO_ROW}/changes",
    "alerts": "alerts",
    "alert": f"alerts/{NO_UUID}",
    "plans": "plans",
    "plan": f"plans/{NO_ROW}",
    "runs": "runs",
    "run": f"runs/{NO_ROW}",
    "run-variance": f"runs/{NO_ROW}/variance",
    "rates": "rates",
    "rate": f"rates/{NO_ROW}",
    "organizations": "organizations",
    "projects": "projects",
    "agents": "agents",
    "me": "me",
    "health": "health",
}
"""By the route's name: a path of it that is answered with GET."""
OF_NO_ROW = {
    "usage-record",
    "alert",
    "budget",
    "budget-status",
    "budget-changes",
    "plan",
    "rate",
    "run",
    "run-variance",
}
"""Those of which the path names a row that is not there."""
OF_ORGANIZATIONS = [path for name, path in GET_PATHS.items() if name not in ("me", "health")]
"""The paths of those that are about organizations."""
NO_HOLD = NO_UUID
POST_PATHS = {
    "usage": "usage",
    "otlp-traces": "otlp/v1/traces",
    "reserve": "reserve",
    "hold-settle": f"holds/{NO_HOLD}/settle",
    "hold-release": f"holds/{NO_HOLD}/release",
    "hold-renew": f"holds/{NO_HOLD}/renew",
    "budgets": "budgets",
    "plans": "plans",
    "rates": "rates",
    "rate-end": f"rates/{NO_ROW}/end",
    **{f"alert-{action}": f"alerts/{NO_UUID}/{action}" for action in ("acknowledge", "resolve", "reopen", "note")},
}
"""The same of those that are answered with POST."""
PATCH_PATHS = {"budget": f"budgets/{NO_ROW}"}
DELETE_PATHS = {"budget": f"budgets/{NO_ROW}", "rate": f"rates/{NO_ROW}"}
PATHS: dict[str, dict[str, str]] = {"get": GET_PATHS, "post": POST_PATHS, "patch": PATCH_PATHS, "delete": DELETE_PATHS}
"""All of them, by the method."""


def person(name: str = "person", /, *, roles: dict[Organization, str] | None = None, **fields: Any) -> Client:
    """A client that is logged in as a new user with these roles."""
    user = get_user_model().objects.create_user(username=name, **fields)
    for organization, role in (roles or {}).items():
        Membership.objects.create(user=user, organization=organization, role=role)
    client = Client()
    client.force_login(user)
    return client


def token_of(
    organization: Organization,
    *,
    scopes: str = "ingest read",
    owner: Project | Agent | None = None,
    lifetime: timedelta | None = None,
    now: datetime | None = None,
) -> str:
    """A new key's token; made `now`, which is the clock's time."""
    made_at = now or datetime.now(UTC)
    new = create_key(
        organization=organization,
        name="robot",
        can_ingest="ingest" in scopes,
        can_read="read" in scopes,
        project=owner if isinstance(owner, Project) else None,
        agent=owner if isinstance(owner, Agent) else None,
        expires_at=None if lifetime is None else made_at + lifetime,
        now=made_at,
    )
    return new.token


def program(token: str) -> Client:
    """A client that shows this token, and is logged in as nobody."""
    return Client(headers={"Authorization": f"Bearer {token}"})


def robot(organization: Organization, **fields: Any) -> Client:
    """A client with a new key of the organization."""
    return program(token_of(organization, **fields))
