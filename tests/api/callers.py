"""People and programs that call the API, and its routes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.test import Client

from costtrack.access.keys import create_key
from costtrack.models import Agent, Membership, Organization, Project

ROOT = "/api/costs/"
GET_PATHS = {
    "daily": "daily",
    "weekly": "weekly",
    "monthly": "monthly",
    "conversation": "conversation/t1",
    "trend": "trend",
    "top-conversations": "top-conversations",
    "report-daily": "report/daily",
    "report-weekly": "report/weekly",
    "report-monthly": "report/monthly",
    "entity-type": "entity/job",
    "entity": "entity/job/1",
    "organizations": "organizations",
    "me": "me",
    "health": "health",
}
"""By the route's name: a path of it that is answered with GET."""
OF_ORGANIZATIONS = [path for name, path in GET_PATHS.items() if name not in ("me", "health")]
"""The paths of those that are about organizations."""
NO_HOLD = "00000000-0000-0000-0000-000000000000"
POST_PATHS = {
    "usage": "usage",
    "reserve": "reserve",
    "hold-settle": f"holds/{NO_HOLD}/settle",
    "hold-release": f"holds/{NO_HOLD}/release",
    "hold-renew": f"holds/{NO_HOLD}/renew",
}
"""The same of those that are answered with POST."""


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
