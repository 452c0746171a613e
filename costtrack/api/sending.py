"""What the views that programs send to share: whose usage it is, the window of time, how often they may."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import Context
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connections, transaction
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle, SimpleRateThrottle
from rest_framework.views import APIView

from costtrack.access.principals import Right
from costtrack.api.base import CostView
from costtrack.api.event_input import event_fields
from costtrack.conf import settings
from costtrack.domain.events import UsageEvent
from costtrack.exceptions import InvalidUsage
from costtrack.metering.event_fields import refuse_empty
from costtrack.metering.events import build_event
from costtrack.models import AgentKey, Organization

AN_ORGANIZATION = "the slug of an organization that you may send usage to"


class NotNow(APIException):
    """503: the database does not answer. What was sent may be sent again."""

    status_code = 503


class SendingThrottle(SimpleRateThrottle):
    """COSTTRACK["INGEST_RATE"] for each key, and for each user."""

    scope = "costtrack-ingest"

    def get_rate(self) -> str | None:
        """None: as often as they like."""
        return settings.ingest_rate

    def get_cache_key(self, request: Request, view: APIView) -> str:
        """Who sends."""
        ident = f"key-{request.auth.prefix}" if isinstance(request.auth, AgentKey) else f"user-{request.user.pk}"
        return self.cache_format % {"scope": self.scope, "ident": ident}


class SendingView(CostView):
    """A view that programs send to: for keys with the scope `ingest`, and for managers."""

    right_to_write = Right.INGEST
    http_method_names = ["post", "options"]

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        """In no transaction of the request's: what is booked stays, and holds no lock until the response is made."""
        view = super().as_view(**initkwargs)
        for alias in connections:
            view = transaction.non_atomic_requests(using=alias)(view)
        return view

    def get_throttles(self) -> list[BaseThrottle]:
        """The host's, and of what is sent ours."""
        return [*super().get_throttles(), *([SendingThrottle()] if self.is_write else [])]

    def owned(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values with the organization that they belong to, and the project and agent that the key is narrowed to.

        Raises InvalidUsage for others; one that is not granted as for one that does not exist.
        """
        fields = {**values, "organization": self._slug_of(values.get("organization") or "")}
        for name, own in self.principal.attribution.items():
            if (given := fields.get(name) or own) != own:
                raise InvalidUsage(name, given, f"{own!r}, which your key is for")
            fields[name] = own
        return fields

    def event_of(self, values: Mapping[str, Any], *, now: datetime) -> UsageEvent:
        """The event of these values, which are cleaned. Raises InvalidUsage, also if it is too old or says nothing."""
        event = self.in_window(self.built(values, now=now), now=now)
        refuse_empty(event)
        return event

    def in_window(self, event: UsageEvent, *, now: datetime) -> UsageEvent:
        """The event. Raises InvalidUsage if it is too old."""
        days = settings.ingest_max_age_days
        if event.occurred_at < now - timedelta(days=days):
            raise InvalidUsage("occurred_at", event.occurred_at, f"a time at most {days} days before {now}")
        return event

    def built(self, values: Mapping[str, Any], *, now: datetime) -> UsageEvent:
        """The event, however old. Raises InvalidUsage."""
        # Usage that happened elsewhere: nothing of this request is about it, not its id, its user or its view.
        event: UsageEvent = Context().run(build_event, now=now, **event_fields(self.owned(values)))
        return event

    def now(self) -> datetime:
        """The clock's time."""
        return datetime.now(UTC)

    def _slug_of(self, said: str) -> str:
        if said not in self._known:
            self._known[said] = self.organization_named(said)
        found = self._known[said]
        if found is None:
            raise InvalidUsage("organization", said or None, AN_ORGANIZATION)
        return found.slug

    def setup(self, request: Any, *args: Any, **kwargs: Any) -> None:
        """Django's."""
        super().setup(request, *args, **kwargs)
        self._known: dict[str, Organization | None] = {}
