"""Alerts over REST: looked for, read with what became of them, acknowledged, resolved, reopened."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http.response import HttpResponseBase
from rest_framework import status
from rest_framework.exceptions import APIException, NotFound, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from costtrack.access.principals import Person, Right
from costtrack.alerts.acknowledge import (
    AlertStateConflict,
    acknowledge_alert,
    note_on_alert,
    reopen_alert,
    resolve_alert,
)
from costtrack.api.alert_columns import COLUMNS, AlertFilters
from costtrack.api.base import CostView
from costtrack.api.bodies import has_body
from costtrack.api.event_input import Clean
from costtrack.api.fields import read_fields
from costtrack.api.lists import ListView
from costtrack.conf import settings
from costtrack.domain.periods import ZoneHistory
from costtrack.exceptions import InvalidUsage
from costtrack.models import BudgetAlert
from costtrack.reporting.budgets import budgets_within
from costtrack.reporting.columns import column_shape
from costtrack.reporting.pages import Key
from costtrack.reporting.shapes import instant_text
from costtrack.reporting.zones import reporting_zone

LONGEST_NOTE = 500
READ_ONLY = "You may read this alert, not act on it: that is for the managers of its organization."


def note(field: str, value: object) -> str:
    """What somebody writes beside what they do."""
    if not isinstance(value, str) or len(value) > LONGEST_NOTE or "\x00" in value:
        raise InvalidUsage(field, value, f"a text of at most {LONGEST_NOTE} characters without NUL")
    return value.strip()


NOTE: dict[str, Clean] = {"note": note}


class Conflict(APIException):
    """409: it is not in a state in which that can be done."""

    status_code = status.HTTP_409_CONFLICT


def readable_alerts(view: CostView) -> QuerySet[BudgetAlert]:
    """Those that the caller may read: of a narrowed key those of budgets within its project or agent.

    Those about the site are superusers', who ask for no organization.
    """
    asked = view.principal.organizations(Right.READ) if view.organization is None else [view.organization]
    rows = BudgetAlert.objects.using(settings.database)
    if view.owner is not None:
        rows = rows.filter(budget__in=budgets_within(asked, owner=view.owner))
    else:
        own = Q(organization__in=[one.pk for one in asked])
        rows = rows.filter(own | Q(organization=None) if view.organization is None and _is_superuser(view) else own)
    return rows.select_related("organization", "acknowledged_by", "resolved_by")


def _is_superuser(view: CostView) -> bool:
    return isinstance(view.principal, Person) and view.principal.is_superuser


class AlertsView(ListView):
    """The alerts that the caller may read."""

    filters = AlertFilters
    columns = COLUMNS
    key = Key(("raised_at", "id"))

    def rows(self) -> QuerySet[Any]:
        """Those that are readable."""
        return readable_alerts(self)

    def get(self, request: Request) -> HttpResponseBase:
        """The alerts that the caller may read, newest first. Those about the site are superusers'."""
        return super().get(request)


class OneAlertView(CostView):
    """A view of one alert; 404 for one that is not there, or that the caller may not read."""

    right_to_write = Right.MANAGE_BUDGETS

    @cached_property
    def alert(self) -> BudgetAlert:
        """The one of the path. Raises PermissionDenied where the caller writes, and may only read it."""
        text = str(self.kwargs["alert_id"])
        key = _uuid_in(text)
        found = None if key is None else readable_alerts(self).filter(pk=key).first()
        if found is None:
            raise NotFound(f"alert: got {text[:50]!r}, expected the id of an alert.")
        if self.is_write and not self._may_act_on(found):
            raise PermissionDenied(READ_ONLY)
        return found

    def _may_act_on(self, alert: BudgetAlert) -> bool:
        if alert.organization is None:
            return _is_superuser(self)
        return self.principal.organization(alert.organization.slug, right=self.right) is not None

    @cached_property
    def zone(self) -> ZoneHistory:
        """Its organization's."""
        return reporting_zone(self.alert.organization)

    def shape(self, alert: BudgetAlert) -> dict[str, Any]:
        """The alert, with what people did and how its deliveries fare."""
        actions = alert.actions.select_related("by")
        deliveries = alert.deliveries.select_related("channel").order_by("created_at", "id")
        return {
            **column_shape(COLUMNS, alert, zone=self.zone),
            "actions": [
                {
                    "action": one.action,
                    "at": instant_text(one.at, zone=self.zone),
                    "by": None if one.by is None else one.by.get_username(),
                    "note": one.note,
                }
                for one in actions
            ],
            "deliveries": [
                {
                    "channel": one.channel.name,
                    "kind": one.channel.kind,
                    "state": one.state,
                    "attempts": one.attempts,
                    "sent_at": instant_text(one.sent_at, zone=self.zone),
                    "last_error": one.last_error,
                }
                for one in deliveries
            ],
        }


class AlertView(OneAlertView):
    """One alert."""

    def get(self, request: Request, alert_id: str) -> Response:
        """What it says, who did what about it, and to which channels it went."""
        return Response(self.shape(self.alert))


class AlertActionView(OneAlertView):
    """A base: do one thing about an alert; again changes nothing. A body with a `note` may be given."""

    act: ClassVar[Callable[..., BudgetAlert]]

    def post(self, request: Request, alert_id: str) -> Response:
        """Do it."""
        alert = self.alert
        said = read_fields(request, NOTE, what="note") if has_body(request) else {}
        try:
            done = type(self).act(alert, by=request.user, note=said.get("note", ""))
        except AlertStateConflict as error:
            raise Conflict(str(error)) from error
        return Response(self.shape(done))


class AcknowledgeView(AlertActionView):
    """Somebody is seeing to it."""

    act = staticmethod(acknowledge_alert)

    def post(self, request: Request, alert_id: str) -> Response:
        """Say that you are seeing to it. Again changes nothing; of one that is resolved it is a 409."""
        return super().post(request, alert_id)


class ResolveView(AlertActionView):
    """It is done with."""

    act = staticmethod(resolve_alert)

    def post(self, request: Request, alert_id: str) -> Response:
        """Say that it is done with. Again changes nothing."""
        return super().post(request, alert_id)


class ReopenView(AlertActionView):
    """It is not done with after all."""

    act = staticmethod(reopen_alert)

    def post(self, request: Request, alert_id: str) -> Response:
        """Say that it is not done with after all. Of one that is open it changes nothing."""
        return super().post(request, alert_id)


class NoteView(AlertActionView):
    """A line beside it."""

    act = staticmethod(note_on_alert)

    def post(self, request: Request, alert_id: str) -> Response:
        """Leave a note, whatever the alert's state."""
        return super().post(request, alert_id)


def _uuid_in(text: str) -> UUID | None:
    """The UUID that a text is, as answers write it; None for one that is none."""
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text else None
