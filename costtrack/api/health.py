"""The health endpoint: counters and ages of metering, for monitoring."""

from __future__ import annotations

from rest_framework import status
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from costtrack.access.principals import Person
from costtrack.api.base import CostView
from costtrack.metering.health import metering_health


class IsSuperuser(BasePermission):
    """Lets superusers in: what is told is of the machine, and may name any organization."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Nobody else, no key either."""
        assert isinstance(view, CostView)
        return isinstance(view.principal, Person) and view.principal.is_superuser


class HealthView(CostView):
    """How metering fares on the machine that answers. 200 if all is well, 503 if someone should look into it.

    The body is the same: `status` "ok" or "degraded", `problems` as texts, and the figures. It tells about metering,
    not about the site: no load balancer should stop sending requests because of it. For superusers.
    """

    permission_classes = (IsSuperuser,)
    takes_organization = False

    def get(self, request: Request) -> Response:
        """The figures as they are now."""
        health = metering_health()
        code = status.HTTP_503_SERVICE_UNAVAILABLE if health.problems else status.HTTP_200_OK
        return Response(health.as_json(), status=code, headers={"Cache-Control": "no-store"})
