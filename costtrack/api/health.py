"""The health endpoint: counters and ages of metering, for monitoring."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext, suppress

from django.db import Error as DatabaseError
from django.utils import timezone
from rest_framework import status
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from costtrack.access.principals import Person
from costtrack.api.base import CostView
from costtrack.conf import settings
from costtrack.jobs.health import delivery_problems, late_jobs
from costtrack.metering.health import metering_health


class IsSuperuser(BasePermission):
    """Lets superusers in: what is told is of the machine, and may name any organization."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Nobody else, no key either."""
        assert isinstance(view, CostView)
        return isinstance(view.principal, Person) and view.principal.is_superuser


class HealthView(CostView):
    """How metering fares on the machine that answers, and the jobs and channels. 200 if all is well, else 503.

    The body is the same: `status` "ok" or "degraded", `problems` as texts, and the figures. It tells about costtrack,
    not about the site: no load balancer should stop sending requests because of it. For superusers.
    """

    permission_classes = (IsSuperuser,)
    takes_organization = False

    def reading(self) -> AbstractContextManager[None]:
        """In no transaction: it is told as well if the database is away."""
        return nullcontext()

    def get(self, request: Request) -> Response:
        """The figures as they are now."""
        shown = metering_health().as_json()
        with suppress(DatabaseError):  # that it is away is among the problems of metering
            shown["problems"] += late_jobs(now=timezone.now(), using=settings.database)
            shown["problems"] += delivery_problems(using=settings.database)
        if shown["problems"]:
            shown["status"] = "degraded"
        code = status.HTTP_503_SERVICE_UNAVAILABLE if shown["problems"] else status.HTTP_200_OK
        return Response(shown, status=code, headers={"Cache-Control": "no-store"})
