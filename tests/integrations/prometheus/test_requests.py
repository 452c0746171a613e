"""The site's requests as metrics, and who may read them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, RequestFactory

from costtrack.integrations.prometheus import RequestMetricsMiddleware
from costtrack.integrations.prometheus.requests import ACTIVE, endpoints
from tests.api.callers import person
from tests.factories import make_organization
from tests.integrations.prometheus.scraped import Samples, labels_of, samples_in, value

pytestmark = pytest.mark.django_db

TOKEN = "a-token-for-the-tests"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(autouse=True)
def site(settings: Any) -> None:
    settings.MIDDLEWARE = ["costtrack.integrations.prometheus.RequestMetricsMiddleware", *settings.MIDDLEWARE]
    settings.ROOT_URLCONF = "tests.integrations.prometheus.urls"
    settings.COSTTRACK = {"TRANSPORT": "inline", "METRICS_TOKEN": TOKEN}


def scraped() -> Samples:
    return samples_in(Client().get("/metrics", headers=AUTHORIZED).content.decode())


def counted(found: Samples, **labels: Any) -> float:
    try:
        return value(found, "api_requests_total", **labels)
    except KeyError:
        return 0.0


def test_requests_are_counted_by_method_view_and_status() -> None:
    client = Client(raise_request_exception=False)
    before = scraped()
    for asked in ("/items/1", "/items/2", "/items/0", "/broken", "/nowhere"):
        client.get(asked)
    client.post("/items/1")
    client.generic("BREW", "/items/1")
    found = scraped()

    def more(**labels: Any) -> float:
        return counted(found, **labels) - counted(before, **labels)

    assert more(method="GET", endpoint="item", status=204) == 2
    assert more(method="GET", endpoint="item", status=400) == 1
    assert more(method="GET", endpoint="broken", status=500) == 1
    assert more(method="GET", endpoint="none", status=404) == 1
    assert more(method="POST", endpoint="item", status=204) == 1
    assert more(method="other", endpoint="item", status=204) == 1
    assert value(found, "api_request_latency_seconds_count", method="POST", endpoint="item") >= 1
    assert value(found, "api_request_latency_seconds_bucket", method="POST", endpoint="item", le="+Inf") >= 1
    assert value(found, "api_active_requests") == 1  # the scrape itself


def test_a_stream_is_under_way_until_it_is_closed() -> None:
    before = counted(scraped(), method="GET", endpoint="stream", status=200)
    answer = Client().get("/stream")
    assert value(scraped(), "api_active_requests") == 2
    assert b"".join(answer.streaming_content) == b"ab"
    answer.close()
    answer.close()
    found = scraped()
    assert value(found, "api_active_requests") == 1
    assert counted(found, method="GET", endpoint="stream", status=200) == before + 1


def test_async_requests_and_streams_are_counted() -> None:
    before = scraped()

    async def ask() -> None:
        client = AsyncClient()
        assert (await client.get("/items/1")).status_code == 204
        answer = await client.get("/stream-async")
        assert b"".join([part async for part in answer.streaming_content]) == b"a"
        answer.close()

    asyncio.run(ask())
    found = scraped()
    for labels in ({"endpoint": "item", "status": 204}, {"endpoint": "stream-async", "status": 200}):
        assert counted(found, method="GET", **labels) == counted(before, method="GET", **labels) + 1
    assert value(found, "api_active_requests") == 1


def test_a_request_whose_answer_is_never_made_is_over() -> None:
    def stop(request: HttpRequest) -> HttpResponse:
        raise SystemExit

    async def cancelled(request: HttpRequest) -> HttpResponse:
        raise asyncio.CancelledError

    before = ACTIVE._value.get()
    with pytest.raises(SystemExit):
        RequestMetricsMiddleware(stop)(RequestFactory().get("/"))
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(RequestMetricsMiddleware(cancelled)(RequestFactory().get("/")))  # type: ignore[arg-type]
    assert ACTIVE._value.get() == before


def test_past_the_cap_endpoints_share_one_label(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "_known", {str(number) for number in range(200)})
    assert (endpoints.label("new"), endpoints.label("7")) == ("other", "7")


@pytest.mark.parametrize(
    "given",
    [{}, {"Authorization": "Bearer "}, {"Authorization": f"Basic {TOKEN}"}, {"Authorization": f"Bearer {TOKEN}x"}],
)
def test_nobody_known_is_asked_for_the_token(given: dict[str, str]) -> None:
    answer = Client().get("/metrics", headers=given)
    assert (answer.status_code, answer["Content-Type"]) == (401, "application/problem+json")
    assert answer["WWW-Authenticate"] == 'Bearer realm="costtrack metrics"'
    assert "METRICS_TOKEN" in answer.json()["detail"]


@pytest.mark.parametrize("token", [None, "another-token-of-the-site"])
def test_without_that_token_in_the_setting_it_opens_nothing(settings: Any, token: str | None) -> None:
    settings.COSTTRACK = {"METRICS_TOKEN": token}
    assert Client().get("/metrics", headers=AUTHORIZED).status_code == 401
    assert Client().get("/metrics", headers={"Authorization": "Bearer None"}).status_code == 401


def test_of_people_superusers_alone_read_them() -> None:
    acme = make_organization()
    for name, flags in (("admin", {}), ("staff", {"is_staff": True})):
        answer = person(name, roles={acme: "admin"}, **flags).get("/metrics")
        assert (answer.status_code, answer.json()["title"]) == (403, "Forbidden")
    assert person("root", is_superuser=True).get("/metrics").status_code == 200


def test_the_format_is_the_one_that_is_asked_for() -> None:
    plain = Client().get("/metrics", headers=AUTHORIZED)
    assert plain["Content-Type"].startswith("text/plain")
    assert plain["Cache-Control"] == "no-store"
    newer = Client().get("/metrics", headers={**AUTHORIZED, "Accept": "application/openmetrics-text; version=1.0.0"})
    assert newer["Content-Type"].startswith("application/openmetrics-text")
    assert newer.content.endswith(b"# EOF\n")
    assert Client().post("/metrics", headers=AUTHORIZED).status_code == 405


def test_names_that_break_lines_are_written_as_prometheus_reads_them() -> None:
    from costtrack.integrations.prometheus.requests import count_request

    count_request(method="GET", endpoint='a"b\\c\nd', status=200, seconds=0.1)
    assert {"method": "GET", "endpoint": 'a"b\\c\nd', "status": "200"} in labels_of(scraped(), "api_requests_total")
