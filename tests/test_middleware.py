"""CostTrackMiddleware: what is metered in a request is attributed to it, sync and async alike."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync, iscoroutinefunction
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path

from costtrack.metering.context import attribute, current_attribution
from costtrack.metering.meter import meter
from costtrack.metering.record import record_usage
from costtrack.middleware import CostTrackMiddleware
from costtrack.models import ResourceUsage
from costtrack.testing import UsageLog, capture_usage
from tests.factories import make_organization

SESSION = "django.contrib.sessions.middleware.SessionMiddleware"
AUTH = "django.contrib.auth.middleware.AuthenticationMiddleware"
OURS = "costtrack.middleware.CostTrackMiddleware"


def meter_one(request: HttpRequest) -> HttpResponse:
    record_usage(model="m", input_tokens=1)
    return HttpResponse("ok")


def meter_named(request: HttpRequest) -> HttpResponse:
    with attribute(endpoint="named", user="other", request_id="own"):
        return meter_one(request)


def meter_twice(request: HttpRequest) -> HttpResponse:
    meter_one(request)
    return meter_one(request)


def use_meter(request: HttpRequest) -> HttpResponse:
    with meter(model="m") as call:
        call.set_usage(input_tokens=1)
    return HttpResponse("ok")


def meter_nothing(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


def fail(request: HttpRequest) -> HttpResponse:
    record_usage(model="m", input_tokens=1)
    raise ZeroDivisionError


urlpatterns = [
    path("one", meter_one, name="one"),
    path("named", meter_named, name="named"),
    path("nothing", meter_nothing),
    path("twice", meter_twice),
    path("metered", use_meter),
    path("fail", fail, name="fail"),
]


resolver_calls: list[str] = []


def organization_of(request: HttpRequest) -> str:
    resolver_calls.append(request.path)
    return request.headers.get("X-Org", "")


async def organization_of_async(request: HttpRequest) -> str:
    await asyncio.sleep(0)
    return organization_of(request)


def failing_resolver(request: HttpRequest) -> str:
    raise LookupError("no tenant")


async def failing_async_resolver(request: HttpRequest) -> str:
    raise LookupError("no tenant")


def resolved_by(resolver: Callable[..., Any]) -> override_settings:
    return override_settings(COSTTRACK={"ORGANIZATION_RESOLVER": f"{__name__}.{resolver.__name__}"})


@pytest.fixture(autouse=True)
def _site(settings: Any) -> Iterator[None]:
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = [SESSION, AUTH, OURS]
    resolver_calls.clear()
    yield
    assert current_attribution().request_id == ""


@pytest.fixture
def log() -> Iterator[UsageLog]:
    with capture_usage() as log:
        yield log


def sync_get(url: str, **options: Any) -> Any:
    return Client(raise_request_exception=False).get(url, **options)


def async_get(url: str, **options: Any) -> Any:
    return async_to_sync(AsyncClient(raise_request_exception=False).get)(url, **options)


both = pytest.mark.parametrize("get", [sync_get, async_get])


@both
def test_usage_carries_the_request_id_and_the_view(get: Any, log: UsageLog) -> None:
    response = get("/one", headers={"X-Request-ID": "req-1.a_B"})
    assert response.status_code == 200
    assert response.headers["X-Request-ID"] == "req-1.a_B"
    assert (log[0].attribution.request_id, log[0].attribution.endpoint) == ("req-1.a_B", "one")


@both
@pytest.mark.parametrize("given", ["", "a b", "x" * 101, "a\tb", "<script>", "ä"])
def test_an_insane_request_id_is_replaced(get: Any, given: str, log: UsageLog) -> None:
    response = get("/one", headers={"X-Request-ID": given})
    new = response.headers["X-Request-ID"]
    assert (len(new), log[0].attribution.request_id) == (32, new)


@both
def test_what_the_view_says_itself_wins(get: Any, log: UsageLog) -> None:
    get("/named", headers={"X-Request-ID": "req-1"})
    found = log[0].attribution
    assert (found.endpoint, found.user, found.request_id) == ("named", "other", "own")


@both
def test_usage_of_a_failing_view_is_attributed(get: Any, log: UsageLog) -> None:
    assert get("/fail").status_code == 500
    assert log[0].attribution.endpoint == "fail"


@pytest.mark.django_db
def test_the_user_is_recorded_by_his_primary_key() -> None:
    user = User.objects.create_user("ann")
    client = Client()
    client.force_login(user)
    assert client.get("/one").status_code == 200
    assert Client().get("/one").status_code == 200
    assert list(ResourceUsage.objects.order_by("id").values_list("user", flat=True)) == [str(user.pk), ""]


@pytest.mark.django_db
def test_the_user_is_known_in_a_coroutine_too() -> None:
    user = User.objects.create_user("ann")

    async def get() -> Any:
        client = AsyncClient()
        await client.aforce_login(user)
        return await client.get("/one")

    assert async_to_sync(get)().status_code == 200
    assert ResourceUsage.objects.get().user == str(user.pk)


@pytest.mark.django_db
def test_a_request_that_meters_nothing_costs_no_query(django_assert_num_queries: Any) -> None:
    client = Client()
    client.force_login(User.objects.create_user("ann"))
    with resolved_by(organization_of), django_assert_num_queries(0):
        response = client.get("/nothing")
    assert "Vary" not in response.headers
    assert resolver_calls == []


@both
@pytest.mark.parametrize("resolver", [organization_of, organization_of_async])
@pytest.mark.django_db
def test_the_organization_comes_from_the_resolver_asked_once(get: Any, resolver: Any) -> None:
    make_organization("acme")
    with resolved_by(resolver):
        assert get("/twice", headers={"X-Org": "acme"}).status_code == 200
    assert list(ResourceUsage.objects.values_list("organization__slug", flat=True)) == ["acme", "acme"]
    assert len(resolver_calls) == 1


@both
@pytest.mark.parametrize("resolver", [failing_resolver, failing_async_resolver])
@pytest.mark.django_db
def test_a_failing_resolver_fails_no_completed_call_and_is_noted(get: Any, resolver: Any) -> None:
    with resolved_by(resolver):
        assert get("/metered").status_code == 200
        assert get("/nothing").status_code == 200
        assert get("/one").status_code == 500
    row = ResourceUsage.objects.get()
    assert (row.organization.slug, row.metadata["_problems"]) == ("default", ["organization: LookupError"])


def test_sync_and_async_are_one_class() -> None:
    async def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    assert (CostTrackMiddleware.sync_capable, CostTrackMiddleware.async_capable) == (True, True)
    assert iscoroutinefunction(CostTrackMiddleware(view))
    assert not iscoroutinefunction(CostTrackMiddleware(meter_nothing))
