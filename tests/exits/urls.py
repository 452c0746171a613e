"""Two views that meter, one for each kind of server; the API, and a list of it that breaks."""

from __future__ import annotations

import os

from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from tests.exits.breaking import BreakingView
from tests.exits.host import meter_some, meter_some_async


def metering(request: HttpRequest, prefix: str) -> HttpResponse:
    """Meter three events; answers who did."""
    meter_some(prefix)
    return HttpResponse(str(os.getpid()))


async def metering_async(request: HttpRequest, prefix: str) -> HttpResponse:
    """The same on an event loop."""
    await meter_some_async(prefix)
    return HttpResponse(str(os.getpid()))


urlpatterns = [
    path("sync/<prefix>", metering),
    path("async/<prefix>", metering_async),
    path("costs/", include("costtrack.api.urls")),
    path("breaking", BreakingView.as_view()),
]
