"""`GET me`: who asks, what is granted, and what a key has left of its budgets."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from costtrack.access.principals import KeyHolder, Person, Right
from costtrack.api.base import CostView
from costtrack.models import AgentKey, Organization
from costtrack.reporting.budget_shapes import budget_shape
from costtrack.reporting.budgets import budget_status


class IsKnown(BasePermission):
    """Lets every key in, and everybody who is logged in."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Also those who are granted nothing: they are told that."""
        return isinstance(request.auth, AgentKey) or bool(request.user and request.user.is_authenticated)


class MeView(CostView):
    """Who asks: a person with roles, or a key with its scopes and budgets."""

    permission_classes = (IsKnown,)
    takes_organization = False

    def get(self, request: Request) -> Response:
        """As it is now; never from a cache."""
        principal = self.principal
        if isinstance(principal, KeyHolder):
            answer = _of_key(principal)
        else:
            assert isinstance(principal, Person)
            answer = _of_person(principal, str(request.user))
        return Response(answer, headers={"Cache-Control": "no-store"})


def _of_person(person: Person, name: str) -> dict[str, Any]:
    organizations = person.organizations(Right.READ)
    return {
        "user": name,
        "key": None,
        "is_superuser": person.is_superuser,
        "organizations": [_organization(one, person.role_in(one)) for one in organizations],
        "budgets": None,
    }


def _of_key(holder: KeyHolder) -> dict[str, Any]:
    key = holder.key
    statuses = budget_status(key.organization, counts_for=dict(holder.attribution))
    return {
        "user": None,
        "key": {
            "prefix": key.prefix,
            "name": key.name,
            "scopes": key.scopes,
            "project": holder.attribution.get("project"),
            "agent": holder.attribution.get("agent"),
            "expires_at": key.expires_at.isoformat() if key.expires_at else None,
        },
        "is_superuser": False,
        "organizations": [_organization(key.organization, None)],
        "budgets": [budget_shape(status) for status in statuses],
    }


def _organization(organization: Organization, role: str | None) -> dict[str, Any]:
    return {
        "organization": organization.slug,
        "name": str(organization),
        "timezone": organization.timezone,
        "role": None if role is None else str(role),
    }
