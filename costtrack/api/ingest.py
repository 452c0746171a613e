"""`POST usage`: events that happened elsewhere, booked before the answer, each exactly once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus

from django.db import InterfaceError, OperationalError, connections, transaction
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from rest_framework import status
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from costtrack.api.bodies import JSON, media_type_of, read_json
from costtrack.api.cloud_events import BATCHED, STRUCTURED, event_of_cloud_event
from costtrack.api.event_input import EVENT, UnknownField, cleaned
from costtrack.api.sending import NotNow, SendingView
from costtrack.budgets.problem import CONTENT_TYPE
from costtrack.budgets.threads import outside_transactions
from costtrack.conf import settings
from costtrack.domain.events import UsageEvent
from costtrack.domain.money import decimal_text
from costtrack.exceptions import InvalidUsage
from costtrack.metering.importing.reasons import reason_of
from costtrack.metering.ledger import RecordResult, RecordStatus, record_events
from costtrack.metering.told import tell_subscribers

MAX_EVENTS = 1000
STATUSES = {RecordStatus.RECORDED: "accepted"}
"""What the API calls them, where that is not their own name."""
LANDED = ("accepted", "duplicate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one event. A duplicate, and a conflict, have the figures of the record that stands."""

    index: int
    status: str
    """`accepted`, `duplicate`, `conflict` or `rejected`."""
    idempotency_key: str | None = None
    usage_id: int | None = None
    cost_usd: str | None = None
    """None while no price is known."""
    cost_source: str | None = None
    reason: str | None = None


class UsageView(SendingView):
    """Takes one event, a list of them, or {"events": [...]}; CloudEvents too. Parameter: organization.

    202, and what became of each: accepted, duplicate, conflict or rejected. Where not one is in the ledger, now or from
    before, a problem document that says the same: 409 if all are in conflict, else 400.
    """

    def post(self, request: Request) -> HttpResponseBase:
        """Check, book, tell."""
        media_type = media_type_of(request)
        given = _events_in(read_json(request, media_types=(JSON, STRUCTURED, BATCHED)), media_type=media_type)
        now = self.now()
        events: dict[int, UsageEvent] = {}
        outcomes: dict[int, Outcome] = {}
        for index, one in enumerate(given):
            try:
                values = cleaned(one, EVENT) if media_type == JSON else event_of_cloud_event(one)
                events[index] = self.event_of(values, now=now)
            except UnknownField as error:
                outcomes[index] = Outcome(index=index, status="rejected", reason=str(error))
            except InvalidUsage as error:
                outcomes[index] = Outcome(index=index, status="rejected", reason=reason_of(error))
        for index, result in zip(events, book(list(events.values())), strict=True):
            outcomes[index] = outcome_of(index, result)
        return _answer([outcomes[index] for index in range(len(given))])


def book(events: Sequence[UsageEvent]) -> list[RecordResult]:
    """Bring the events to the ledger, in a transaction of their own, and tell the subscribers.

    Raises NotNow if the database does not answer; then they may be sent again.
    """
    alias = settings.database

    def work() -> list[RecordResult]:
        is_inside = connections[alias].in_atomic_block  # inline, or on SQLite: there is no other connection
        results = record_events(events, using=alias, creates_partitions=not is_inside)
        transaction.on_commit(lambda: tell_subscribers(events, results), using=alias, robust=True)
        return results

    if not events:
        return []
    try:
        return outside_transactions(work)
    except (OperationalError, InterfaceError, TimeoutError) as error:
        raise NotNow(
            f"The events can not be booked now ({type(error).__name__}). Send them again: those with an "
            "idempotency_key are charged once."
        ) from error


def _events_in(body: object, *, media_type: str) -> list[object]:
    if media_type == STRUCTURED:
        return [body]
    events = body
    if media_type == JSON and isinstance(body, dict):
        events = body["events"] if body.keys() == {"events"} else [body]
    if not isinstance(events, list) or not 1 <= len(events) <= MAX_EVENTS:
        seen = f"{len(events):,} events" if isinstance(events, list) else type(events).__name__
        raise ParseError(f"The body has {seen}, expected an event or a list of 1 to {MAX_EVENTS:,} of them.")
    return events


def outcome_of(index: int, result: RecordResult) -> Outcome:
    """What the ledger says of an event, as the API tells it."""
    return Outcome(
        index=index,
        status=STATUSES.get(result.status, result.status.value),
        idempotency_key=result.idempotency_key,
        usage_id=result.usage_id,
        cost_usd=None if result.cost_usd is None else decimal_text(result.cost_usd),
        cost_source=None if result.cost_source is None else result.cost_source.value,
        reason=result.reason or None,
    )


def _answer(outcomes: Sequence[Outcome]) -> HttpResponseBase:
    counts = Counter(outcome.status for outcome in outcomes)
    body = {
        **{name: counts[name] for name in ("accepted", "duplicate", "conflict", "rejected")},
        "results": [asdict(outcome) for outcome in outcomes],
    }
    if any(counts[name] for name in LANDED):
        return Response(body, status=status.HTTP_202_ACCEPTED)
    code = HTTPStatus.CONFLICT if counts["conflict"] == len(outcomes) else HTTPStatus.BAD_REQUEST
    first = outcomes[0]
    detail = f"Nothing was booked. Of the first of {len(outcomes):,}: {first.reason}" if first.reason else ""
    problem = {"type": "about:blank", "title": code.phrase, "status": code.value, "detail": detail, **body}
    return HttpResponse(json.dumps(problem), status=code.value, content_type=CONTENT_TYPE)
