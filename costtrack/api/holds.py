"""Reservations for callers in other languages: hold the worst case of a call, then settle, release or renew it."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid5

from django.db import InterfaceError, OperationalError
from rest_framework import status
from rest_framework.exceptions import APIException, NotFound, ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from costtrack.api.bodies import has_body, read_json
from costtrack.api.event_input import ATTRIBUTION, EVENT, Clean, UnknownField, any_number, cleaned, flag, text, whole
from costtrack.api.held import FoundHold, find_hold
from costtrack.api.ingest import book, outcome_of
from costtrack.api.sending import NotNow, SendingView
from costtrack.budgets.backends.redis_connections import RedisAway
from costtrack.budgets.holds import release, renew
from costtrack.budgets.threads import outside_transactions
from costtrack.conf import settings
from costtrack.exceptions import HoldEnded, HoldTooSmall, InvalidUsage
from costtrack.metering.importing.reasons import reason_of
from costtrack.metering.reserve import reserve
from costtrack.models import Hold

T = TypeVar("T")
NAMESPACE = UUID("6f0a3c86-52a6-4f0e-9b1c-2f7d3f6f5b0e")
"""Of the ids that are made from idempotency keys."""
MAX_TTL_SECONDS = 86_400


def what_is_read(field: str, value: object) -> object:
    """What a model is given to read: a text, or messages. It is counted, and stored nowhere."""
    if not isinstance(value, (str, list, dict)):
        raise InvalidUsage(field, value, "a text or a list of messages")
    return value


def seconds(field: str, value: object) -> float:
    """For how long."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 1 <= value <= MAX_TTL_SECONDS:
        raise InvalidUsage(field, value, f"a number of seconds from 1 to {MAX_TTL_SECONDS:,}")
    return value


RESERVE: dict[str, Clean] = {
    **dict.fromkeys(("model", "provider", "gateway", "service_tier", "resource_type", "idempotency_key"), text),
    **dict.fromkeys(("input_tokens", "max_output_tokens"), whole),
    **dict.fromkeys(("amount", "max_cost_usd"), any_number),
    "input": what_is_read,
    "writes_cache": flag,
    "ttl_seconds": seconds,
    **{name: clean for name, clean in ATTRIBUTION.items() if name != "tags"},
}
"""What may be said of a call that is about to be made."""
NOT_RESERVED = {"tags": "No budget is about tags: reserve takes none, settle does."}
SETTLE: dict[str, Clean] = {
    name: clean for name, clean in EVENT.items() if name not in ("idempotency_key", "occurred_at", "organization")
}
"""What may be said of a call that was held for: it has its key and its time from the hold."""
RENEW: dict[str, Clean] = {"ttl_seconds": seconds}


class Ended(APIException):
    """409: the hold has ended in another way, or holds too little."""

    status_code = status.HTTP_409_CONFLICT


class ReserveView(SendingView):
    """Holds the worst case of a call in every hard budget that is about it. Parameter: organization.

    201 with the hold's id; 402 and a problem document if a budget refuses, and then the call must not be made. With the
    same `idempotency_key` the same hold is found again: 200, and nothing is taken twice; 409 if the call may need more.
    """

    def post(self, request: Request) -> Response:
        """Ask the budgets."""
        values = _checked(lambda: self.owned(cleaned(read_json(request), RESERVE, elsewhere=NOT_RESERVED)))
        hold_id = None
        if key := values.pop("idempotency_key", ""):
            hold_id = uuid5(NAMESPACE, f"{values['organization']} {key}")
        known = hold_id is not None and _found(lambda: find_hold(str(hold_id), self.principal)) is not None

        def ask() -> Any:
            return reserve(hold_id=hold_id, **values).__enter__()

        try:
            # About another program's call, not about this request. Left open: it is settled by another request.
            held = _checked(lambda: Context().run(ask))
        except (HoldEnded, HoldTooSmall) as error:
            raise Ended(f"{error} Give another idempotency_key.") from error
        answer = {
            "id": None if held.id is None else str(held.id),
            "state": None if held.id is None else "held",
            "expires_at": None if held.expires_at is None else held.expires_at.isoformat(),
        }
        return Response(answer, status=status.HTTP_200_OK if known else status.HTTP_201_CREATED)


class HoldView(SendingView):
    """What is done with one hold; 404 for one that is not there, or is not the caller's."""

    takes_organization = False

    def hold(self, hold_id: str) -> FoundHold:
        """The hold of that id."""
        found = _found(lambda: find_hold(hold_id, self.principal))
        if found is None:
            raise NotFound(f"hold: got {hold_id[:50]!r}, expected the id of a hold.")
        return found


class SettleView(HoldView):
    """Records what the call used, as `POST usage` does; the hold ends with that.

    What budgets can be about (model, provider, project, endpoint ...) need not be said again. It counts as well if it
    is more than was held, or if the hold has expired. The same again charges nothing; other figures are a 409.
    """

    def post(self, request: Request, hold_id: str) -> Response:
        """Book it."""
        hold = self.hold(hold_id)
        values = _checked(lambda: cleaned(read_json(request), SETTLE))
        if values.keys() & {"entity"}:
            values["entity_type"], values["entity_id"] = values.pop("entity")
        remembered = {name: value for name, value in hold.about.items() if name in SETTLE}
        said = {**remembered, **values, "organization": hold.organization.slug}
        said |= {"occurred_at": hold.admitted_at, "idempotency_key": f"hold:{hold.id.hex}"}
        event = _checked(lambda: self.built(said, now=self.now()))
        (result,) = book([replace(event, hold_id=hold.id.hex, hold_leases=hold.leases)])
        outcome = outcome_of(0, result)
        if outcome.status == "conflict":
            raise Ended(f"The hold {hold.id} was settled before, with other usage: that stands.")
        if outcome.status == "rejected":
            raise ParseError(outcome.reason)
        figures = {name: value for name, value in asdict(outcome).items() if name not in ("index", "reason")}
        return Response({"id": str(hold.id), "state": "settled", **figures})


class ReleaseView(HoldView):
    """Gives back what is held: nothing was used. Once more changes nothing; 409 if the hold has ended otherwise."""

    def post(self, request: Request, hold_id: str) -> Response:
        """Let it go."""
        hold = self.hold(hold_id)
        is_released = _found(lambda: outside_transactions(lambda: release(hold.id, using=settings.database)))
        if not is_released and (state := _state_of(hold)) != Hold.State.RELEASED:
            raise Ended(f"The hold {hold.id} has ended already: it is {state}.")
        return Response({"id": str(hold.id), "state": "released"})


class RenewView(HoldView):
    """Holds for `ttl_seconds` from now (default COSTTRACK["HOLD_TTL_SECONDS"]), never shorter. 409 if it has ended."""

    def post(self, request: Request, hold_id: str) -> Response:
        """Prolong it."""
        hold = self.hold(hold_id)
        values = _checked(lambda: cleaned(read_json(request), RENEW)) if has_body(request) else {}
        ttl = timedelta(seconds=values.get("ttl_seconds", settings.hold_ttl_seconds))
        expires_at = _found(lambda: outside_transactions(lambda: renew(hold.id, ttl, using=settings.database)))
        if expires_at is None:
            raise Ended(f"The hold {hold.id} has ended already: it is {_state_of(hold)}.")
        return Response({"id": str(hold.id), "state": "held", "expires_at": expires_at.isoformat()})


def _checked(work: Callable[[], T]) -> T:
    """`work()`; what is wrong with the caller's values is a 400."""
    try:
        return work()
    except UnknownField as error:
        raise ParseError(str(error)) from error
    except InvalidUsage as error:
        raise ParseError(reason_of(error)) from error


def _found(work: Callable[[], T]) -> T:
    """`work()`; a database or a Redis that does not answer is a 503."""
    try:
        return work()
    except (OperationalError, InterfaceError, TimeoutError, RedisAway) as error:
        raise NotNow(f"The hold can not be looked at now ({type(error).__name__}). Try again.") from error


def _state_of(hold: FoundHold) -> str:
    row = Hold.objects.using(settings.database).filter(id=hold.id).values_list("state", flat=True).first()
    return str(row or hold.state)
