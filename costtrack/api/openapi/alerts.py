"""Alerts, and what people do about them."""

from __future__ import annotations

from typing import Any

from costtrack.api.alert_columns import COLUMNS
from costtrack.api.alerts import (
    LONGEST_NOTE,
    AcknowledgeView,
    AlertsView,
    AlertView,
    NoteView,
    ReopenView,
    ResolveView,
)
from costtrack.api.openapi.columns import page, row
from costtrack.api.openapi.described import JSON, Body, Component, Operation, json_answer
from costtrack.api.openapi.parameters import parameter
from costtrack.api.openapi.problems import CONFLICT
from costtrack.api.openapi.values import COUNT, ID, INSTANT, TEXT, choice, list_of, nullable, record
from costtrack.models import AlertAction, AlertChannel, AlertDelivery

ALERT = row("Alert", COLUMNS, data={"figures": {"type": "object"}})
ACTION = Component(
    "AlertAction",
    record(
        {
            "action": choice("AlertActionKind", AlertAction.Action.values),
            "at": INSTANT,
            "by": nullable(TEXT),
            "note": TEXT,
        }
    ),
)
DELIVERY = Component(
    "AlertDelivery",
    record(
        {
            "channel": TEXT,
            "kind": choice("AlertChannelKind", AlertChannel.Kind.values),
            "state": choice("AlertDeliveryState", AlertDelivery.State.values),
            "attempts": COUNT,
            "sent_at": nullable(INSTANT),
            "last_error": TEXT,
        }
    ),
)
DETAIL_FIELDS: dict[str, Any] = {
    **ALERT.part["properties"],
    "actions": list_of(ACTION),
    "deliveries": list_of(DELIVERY),
}
DETAIL = Component("AlertDetail", record(DETAIL_FIELDS))
NOTE = record(
    {"note": {"type": ["string", "null"], "maxLength": LONGEST_NOTE, "pattern": r"^[^\u0000]*$"}}, optional=("note",)
)
PLACE = {"alert_id": parameter("alert_id", ID, "The alert's `id`.", place="path")}

OPERATIONS = (
    Operation(
        view=AlertsView,
        id="list_alerts",
        tag="alerts",
        answers={200: page("AlertPage", ALERT, "The alerts, newest first.")},
    ),
    Operation(
        view=AlertView,
        id="get_alert",
        tag="alerts",
        path=PLACE,
        is_told_by_method=True,
        answers={200: json_answer("The alert.", DETAIL)},
    ),
    *(
        Operation(
            view=view,
            method="POST",
            id=name,
            tag="alerts",
            path=PLACE,
            is_told_by_method=True,
            body=Body(content={JSON: NOTE}, examples={"why": {"note": "A load test."}}, is_required=False),
            answers={200: json_answer("The alert as it is now.", DETAIL), 409: CONFLICT},
        )
        for view, name in (
            (AcknowledgeView, "acknowledge_alert"),
            (ResolveView, "resolve_alert"),
            (ReopenView, "reopen_alert"),
            (NoteView, "note_on_alert"),
        )
    ),
)
