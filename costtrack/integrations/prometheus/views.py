"""`path("metrics", metrics)`: what Prometheus scrapes, for those who show the token, and for superusers."""

from __future__ import annotations

import json
import secrets
from http import HTTPStatus

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from costtrack.access.principals import Person
from costtrack.budgets.problem import CONTENT_TYPE
from costtrack.conf import settings
from costtrack.integrations.prometheus.collector import CostTrackCollector

CHALLENGE = 'Bearer realm="costtrack metrics"'


@login_not_required
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """All metrics of costtrack, in the text format or OpenMetrics.

    They name every organization: for whoever shows COSTTRACK["METRICS_TOKEN"] as `Authorization: Bearer ...`, and for
    superusers. 401 for nobody known, 403 for others.
    """
    if not _shows_token(request):
        person = Person(getattr(request, "user", None))
        if not person.is_superuser:
            return _refusal(request)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(CostTrackCollector())
    encoder, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encoder(registry), content_type=content_type, headers={"Cache-Control": "no-store"})


def _shows_token(request: HttpRequest) -> bool:
    token = settings.metrics_token
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    if not token or scheme.lower() != "bearer":
        return False
    return secrets.compare_digest(shown.strip().encode(), token.encode())


def _refusal(request: HttpRequest) -> HttpResponse:
    is_known = bool(getattr(getattr(request, "user", None), "is_authenticated", False))
    status = HTTPStatus.FORBIDDEN if is_known else HTTPStatus.UNAUTHORIZED
    detail = (
        "Metrics are for superusers, and for those who show the token."
        if is_known
        else 'Metrics need the header `Authorization: Bearer TOKEN`, with COSTTRACK["METRICS_TOKEN"].'
    )
    problem = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}
    response = HttpResponse(json.dumps(problem), status=status.value, content_type=CONTENT_TYPE)
    if not is_known:
        response["WWW-Authenticate"] = CHALLENGE
    return response
