"""CostTrackMiddleware: what is metered in a request, or while its response streams, is attributed to it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync, iscoroutinefunction
from django.contrib.auth.models import User
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.urls import path

from costtrack.domain.events import UsageEvent
from costtrack.metering.context import attribute, current_attribution
from costtrack.metering.memory import MemoryLog, memory_log
from costtrack.metering.record import record_usage
from costtrack.middleware import CostTrackMiddleware
from costtrack.models import ResourceUsage
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


def meter_nothing(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


def fail(request: HttpRequest) -> HttpResponse:
    record_usage(model="m", input_tokens=1)
    raise ZeroDivisionError


def texts() -> Iterator[str]:
    try:
        yield "a"
        record_usage(model="m", input_tokens=1)
        yield "b"
    finally:
        record_usage(model="m", input_tokens=2)


def stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(texts())


async def async_texts() -> AsyncIterator[str]:
    try:
        yield "a"
        await asyncio.sleep(0)
        record_usage(model="m", input_tokens=1)
        yield "b"
    finally:
        record_usage(model="m", input_tokens=2)


async def async_stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(async_texts())


def a_file(request: HttpRequest) -> FileResponse:
    return FileResponse(io.BytesIO(b"bytes"))


urlpatterns = [
    path("one", meter_one, name="one"),
    path("named", meter_named, name="named"),
    path("nothing", meter_nothing),
    path("fail", fail, name="fail"),
    path("stream", stream, name="stream"),
    path("async-stream", async_stream, name="async-stream"),
    path("file", a_file),
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
def log() -> Iterator[MemoryLog]:
    with memory_log() as log:
        yield log


def sync_get(url: str, **options: Any) -> Any:
    return Client(raise_request_exception=False).get(url, **options)


def async_get(url: str, **options: Any) -> Any:
    async def get() -> Any:
        response: Any = await AsyncClient(raise_request_exception=False).get(url, **options)
        if response.streaming:
            response.body = b"".join([part async for part in response.streaming_content])
        return response

    return async_to_sync(get)()


both = pytest.mark.parametrize("get", [sync_get, async_get])


@both
def test_usage_carries_the_request_id_and_the_view(get: Any, log: MemoryLog) -> None:
    response = get("/one", headers={"X-Request-ID": "req-1.a_B"})
    assert response.status_code == 200
    assert response.headers["X-Request-ID"] == "req-1.a_B"
    assert (log[0].attribution.request_id, log[0].attribution.endpoint) == ("req-1.a_B", "one")


@both
@pytest.mark.parametrize("given", ["", "a b", "x" * 101, "a\tb", "<script>", "ä"])
def test_an_insane_request_id_is_replaced(get: Any, given: str, log: MemoryLog) -> None:
    response = get("/one", headers={"X-Request-ID": given})
    new = response.headers["X-Request-ID"]
    assert (len(new), log[0].attribution.request_id) == (32, new)


@both
def test_what_the_view_says_itself_wins(get: Any, log: MemoryLog) -> None:
    get("/named", headers={"X-Request-ID": "req-1"})
    found = log[0].attribution
    assert (found.endpoint, found.user, found.request_id) == ("named", "other", "own")


@both
def test_usage_of_a_failing_view_is_attributed(get: Any, log: MemoryLog) -> None:
    assert get("/fail").status_code == 500
    assert log[0].attribution.endpoint == "fail"


def attributed(log: MemoryLog, request_id: str) -> list[tuple[str, str, int]]:
    def row(event: UsageEvent) -> tuple[str, str, int]:
        return event.attribution.request_id, event.attribution.endpoint, event.tokens.input_tokens

    assert {row(event)[0] for event in log} == {request_id}
    return [row(event) for event in log]


def test_the_scope_lasts_to_the_end_of_a_stream(log: MemoryLog) -> None:
    response: Any = sync_get("/stream", headers={"X-Request-ID": "r"})
    assert len(log) == 0
    assert response.getvalue() == b"ab"
    assert attributed(log, "r") == [("r", "stream", 1), ("r", "stream", 2)]


def test_the_scope_is_not_the_consumers(log: MemoryLog) -> None:
    response: Any = sync_get("/stream")
    parts = iter(response.streaming_content)
    assert next(parts) == b"a"
    assert current_attribution().request_id == ""


def test_the_scope_lasts_to_the_closing_of_a_stream_that_is_left_early(log: MemoryLog) -> None:
    response = CostTrackMiddleware(stream)(RequestFactory().get("/stream", headers={"X-Request-ID": "r"}))
    parts = iter(response)  # type: ignore[call-overload]
    next(parts)
    response.close()  # type: ignore[union-attr]
    assert attributed(log, "r") == [("r", "", 2)]


def test_the_scope_lasts_to_the_end_of_an_async_stream(log: MemoryLog) -> None:
    assert async_get("/async-stream", headers={"X-Request-ID": "r"}).body == b"ab"
    assert attributed(log, "r") == [("r", "async-stream", 1), ("r", "async-stream", 2)]


def test_the_scope_lasts_to_the_closing_of_an_async_stream_that_is_left_early(log: MemoryLog) -> None:
    async def main() -> None:
        request = RequestFactory().get("/stream", headers={"X-Request-ID": "r"})
        response: Any = await CostTrackMiddleware(async_stream)(request)  # type: ignore[misc]
        parts = aiter(response)
        await anext(parts)
        await parts.aclose()
        del parts, response
        for _ in range(10):
            await asyncio.sleep(0)

    async_to_sync(main)()
    assert attributed(log, "r") == [("r", "", 2)]


def test_a_file_is_left_to_the_servers_sendfile() -> None:
    response: Any = CostTrackMiddleware(a_file)(RequestFactory().get("/file"))
    assert response.file_to_stream is not None
    assert b"".join(response.streaming_content) == b"bytes"


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
        get("/stream" if get is sync_get else "/async-stream", headers={"X-Org": "acme"}).getvalue() if (
            get is sync_get
        ) else get("/async-stream", headers={"X-Org": "acme"})
    assert set(ResourceUsage.objects.values_list("organization__slug", flat=True)) == {"acme"}
    assert len(resolver_calls) == 1


def test_sync_and_async_are_one_class() -> None:
    async def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    assert (CostTrackMiddleware.sync_capable, CostTrackMiddleware.async_capable) == (True, True)
    assert iscoroutinefunction(CostTrackMiddleware(view))
    assert not iscoroutinefunction(CostTrackMiddleware(meter_nothing))
