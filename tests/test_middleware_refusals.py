"""A refused call that no view catches is answered with 402 or 503, and a problem document."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from costtrack.api.base import ProblemDocuments
from costtrack.api.problems import refusal_response
from costtrack.budgets.changes import change_budget
from costtrack.exceptions import BudgetExceeded, BudgetUnavailable, CallRefused
from costtrack.metering.meter import meter
from costtrack.models import Budget, Rate, ResourceUsage
from costtrack.pricing.ratebook import forget_rates
from tests.factories import make_organization, make_rate
from tests.metering.budgeted import make_budget

pytestmark = pytest.mark.django_db

CALL: dict[str, Any] = {"provider": "openai", "model": "test-model", "input_tokens": 1000, "max_output_tokens": 1000}
"""Needs 1000 x 3 + 1000 x 15 = 18,000 per million: 0.018 USD."""


def ask(request: HttpRequest) -> HttpResponse:
    with meter("chat", thread_id="t1", organization="acme", **CALL):
        return HttpResponse("answered")


async def ask_async(request: HttpRequest) -> HttpResponse:
    async with meter("chat", thread_id="t1", organization="acme", **CALL):
        return HttpResponse("answered")


def ask_and_catch(request: HttpRequest) -> HttpResponse:
    try:
        return ask(request)
    except CallRefused as refused:
        return HttpResponse(f"sorry: {refused.budget}")


def be_away(request: HttpRequest) -> HttpResponse:
    raise BudgetUnavailable(budget_id=1, budget="all", organization="acme", reason="no route")


def fail(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError


class AskView(APIView):
    """A host's own."""

    authentication_classes = ()
    permission_classes = ()

    def get(self, request: Request) -> Response:
        with meter("chat", thread_id="t1", organization="acme", **CALL):
            return Response("answered")


class AskViewWithProblems(ProblemDocuments, AskView):
    """One that needs no middleware."""


urlpatterns = [
    path("ask", ask),
    path("ask-async", ask_async),
    path("caught", ask_and_catch),
    path("away", be_away),
    path("fail", fail),
    path("rest", AskView.as_view()),
    path("rest-problems", AskViewWithProblems.as_view()),
]


@pytest.fixture(autouse=True)
def _site(settings: Any) -> None:
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = ["costtrack.middleware.CostTrackMiddleware"]


@pytest.fixture
def budget() -> Budget:
    """A thread's cent: too little for a call."""
    make_rate()
    return make_budget(make_organization(), "0.01", name="a thread's", per="thread", endpoint="chat")


def sync_get(url: str) -> Any:
    return Client(raise_request_exception=False).get(url)


def async_get(url: str) -> Any:
    return async_to_sync(AsyncClient(raise_request_exception=False).get)(url)


DOCUMENT = {
    "type": "urn:costtrack:budget-exceeded",
    "title": "Budget exceeded",
    "status": 402,
    "detail": "Budget \"a thread's\" for 't1' of organization 'acme' has no room for this call: it needs up to 0.018 "
    "cost_usd, of a limit of 0.01, 0 are spent and 0 held for other calls. It never begins anew. Ask for less, or "
    "raise the limit.",
    "budget": "a thread's",
    "organization": "acme",
    "scope": {"endpoint": "chat", "thread_id": "t1"},
    "metric": "cost_usd",
    "limit": "0.01",
    "spent": "0",
    "held": "0",
    "needed": "0.018",
    "resets_at": None,
}


@pytest.mark.parametrize("get", [sync_get, async_get])
@pytest.mark.parametrize("url", ["/ask", "/ask-async", "/rest"])
def test_a_refused_call_is_payment_required_with_the_budgets_figures(get: Any, url: str, budget: Budget) -> None:
    response = get(url)
    assert (response.status_code, response["Content-Type"]) == (402, "application/problem+json")
    assert response.json() == DOCUMENT
    assert response["X-Request-ID"]
    assert ResourceUsage.objects.count() == 0


@pytest.mark.parametrize("get", [sync_get, async_get])
def test_a_call_that_is_admitted_is_answered(get: Any, budget: Budget) -> None:
    change_budget(budget, limit=Decimal(1))
    assert (get("/ask").content, ResourceUsage.objects.count()) == (b"answered", 1)


@pytest.mark.parametrize("get", [sync_get, async_get])
def test_a_budget_that_could_not_be_asked_is_service_unavailable(get: Any) -> None:
    response = get("/away")
    assert response.status_code == 503
    document = response.json()
    assert (document["type"], document["title"]) == ("urn:costtrack:budget-unavailable", "Budget unavailable")
    assert "limit" not in document


def test_a_call_of_unknown_cost_has_a_type_of_its_own(budget: Budget) -> None:
    Rate.objects.all().delete()
    forget_rates()
    response = sync_get("/ask")
    assert (response.status_code, response.json()["type"]) == (402, "urn:costtrack:unknown-worst-case")
    assert "no price is known for 'test-model'" in response.json()["detail"]


def test_a_view_may_catch_it(budget: Budget) -> None:
    assert sync_get("/caught").content == b"sorry: a thread's"


def test_every_other_exception_goes_its_way() -> None:
    assert sync_get("/fail").status_code == 500


def test_rest_framework_views_with_our_base_need_no_middleware(budget: Budget, settings: Any) -> None:
    settings.MIDDLEWARE = []
    response = sync_get("/rest-problems")
    assert (response.status_code, response.json()) == (402, DOCUMENT)
    assert sync_get("/rest").status_code == 500


def test_a_view_that_catches_it_has_the_same_response_from_a_function() -> None:
    error = BudgetExceeded(
        budget_id=1,
        budget="daily",
        organization="acme",
        subject="",
        scope={"project": "website"},
        metric="tokens",
        limit=Decimal("100000.000000000000"),
        spent=Decimal("1E+3"),
        held=Decimal(0),
        needed=Decimal(99_001),
        resets_at=datetime(2026, 11, 21, tzinfo=UTC),
    )
    response = refusal_response(error)
    document = json.loads(response.content)
    assert (response.status_code, document["scope"], document["resets_at"]) == (
        402,
        {"project": "website"},
        "2026-11-21T00:00:00+00:00",
    )
    assert [document[name] for name in ("limit", "spent", "held", "needed")] == ["100000", "1000", "0", "99001"]
