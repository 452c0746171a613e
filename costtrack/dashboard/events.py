"""Server-Sent Events: a stream that says when what open pages show has changed. On ASGI; WSGI would lose workers to it.

The stream carries no figures: a page that is told asks for its content, as it does when it polls. Rights are asked for
again each time; it ends with them, with the session, and by itself after half an hour, when browsers begin anew.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from importlib import import_module
from typing import NamedTuple

from asgiref.sync import sync_to_async
from django.conf import settings as django_settings
from django.contrib.auth import get_user
from django.core.handlers.asgi import ASGIRequest
from django.db import Error, close_old_connections
from django.db.models import Max, Sum
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from costtrack.access.principals import Person, Right
from costtrack.access.rows import visible_rows
from costtrack.conf import settings
from costtrack.domain.periods import DayRange
from costtrack.models import BudgetAlert
from costtrack.models.alerts import ALERT_STATES
from costtrack.reporting.costs import summaries_of

LOOK_SECONDS = 2.0
"""How often it is looked whether something has changed."""
HEARTBEAT_SECONDS = 15.0
"""How often a stream without news says that it is there: proxies end silent ones."""
LIFETIME_SECONDS = 1800.0
NOTHING_SENT = ": still here\n\n"
ENDED = "event: ended\ndata: {}\n\n"


class Seen(NamedTuple):
    """What tells one state of the data from another."""

    calls: int
    cost: str
    alerts: int
    alerted: str


def has_events(request: HttpRequest) -> bool:
    """Whether the server can stream to it without losing a worker."""
    return isinstance(request, ASGIRequest)


async def events(request: HttpRequest) -> HttpResponseBase:
    """The stream: `changed` when there is news, `ended` when the right to see it is gone. 401, 403, and 406 on WSGI."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponse("GET only.\n", status=405, headers={"Allow": "GET"})
    if not has_events(request):
        return HttpResponse("Events need an ASGI server: poll instead.\n", status=406, content_type="text/plain")
    if not (await request.auser()).is_authenticated:
        return HttpResponse("Log in.\n", status=401, content_type="text/plain")
    first = await _look(request)
    if first is None:
        return HttpResponse("You may not look at that.\n", status=403, content_type="text/plain")
    response = StreamingHttpResponse(_stream(request, first), content_type="text/event-stream")
    response["Cache-Control"] = "private, no-store"
    response["X-Accel-Buffering"] = "no"
    return response


async def _stream(request: HttpRequest, seen: Seen) -> AsyncIterator[str]:
    yield NOTHING_SENT
    clock = asyncio.get_running_loop().time
    ends_at, quiet_since = clock() + LIFETIME_SECONDS, clock()
    while clock() < ends_at:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            found = await _look(request)
        except Error:  # the database is away: later
            continue
        if found is None:
            yield ENDED
            return
        if found != seen:
            seen, quiet_since = found, clock()
            yield f"event: changed\ndata: {json.dumps({'alerts': found.alerts})}\n\n"
        elif clock() - quiet_since >= HEARTBEAT_SECONDS:
            quiet_since = clock()
            yield NOTHING_SENT


@sync_to_async
def _look(request: HttpRequest) -> Seen | None:
    """What there is to see now; None: nothing, as the session is over, or the right."""
    close_old_connections()
    session_key = request.session.session_key
    if session_key is None:
        return None
    # Both anew: the request's own are as they were when it came.
    asked = HttpRequest()
    asked.session = import_module(django_settings.SESSION_ENGINE).SessionStore(session_key)
    user = get_user(asked)
    if not user.is_authenticated:
        return None
    person = Person(user)
    granted = person.organizations(Right.READ)
    slug = request.GET.get("organization")
    organizations = [one for one in granted if slug in (None, "", one.slug)]
    if not organizations:
        return None
    today = timezone.localdate()
    days = DayRange(today - timedelta(days=1), today + timedelta(days=2))
    summed = person.summed(organizations, is_narrowed=bool(slug))
    sums = summaries_of(days, by=(), organizations=summed).aggregate(calls=Sum("calls"), cost=Sum("cost_usd"))
    alerts = visible_rows(BudgetAlert.objects.using(settings.database), person).filter(ALERT_STATES["open"])
    last = alerts.aggregate(raised=Max("raised_at"))
    return Seen(
        calls=int(sums["calls"] or 0), cost=str(sums["cost"]), alerts=alerts.count(), alerted=str(last["raised"])
    )
