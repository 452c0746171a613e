"""The health endpoint: counters and ages of metering, for monitoring."""

from __future__ import annotations

from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from costtrack.api.base import CostView
from costtrack.metering.health import metering_health


class HealthView(CostView):
    """How metering fares on the machine that answers. 200 if all is well, 503 if someone should look into it.

    The body is the same: `status` "ok" or "degraded", `problems` as texts, and the figures. It tells about metering,
    not about the site: no load balancer should stop sending requests because of it.
    """

    def get(self, request: Request) -> Response:
        """The figures as they are now."""
        health = metering_health()
        code = status.HTTP_503_SERVICE_UNAVAILABLE if health.problems else status.HTTP_200_OK
        return Response(health.as_json(), status=code, headers={"Cache-Control": "no-store"})
