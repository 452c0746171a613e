"""CostTrackMiddleware on streaming responses: the scope lasts until they have ended or were closed."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.http import FileResponse, HttpRequest, StreamingHttpResponse
from django.test import AsyncClient, Client, RequestFactory
from django.urls import path

from costtrack.domain.events import UsageEvent
from costtrack.metering.context import current_attribution
from costtrack.metering.record import record_usage
from costtrack.middleware import CostTrackMiddleware
from costtrack.testing import UsageLog, capture_usage


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
    path("stream", stream, name="stream"),
    path("async-stream", async_stream, name="async-stream"),
]


@pytest.fixture(autouse=True)
def _site(settings: Any) -> None:
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = ["costtrack.middleware.CostTrackMiddleware"]


@pytest.fixture
def log() -> Iterator[UsageLog]:
    with capture_usage() as log:
        yield log


def attributed(log: UsageLog, request_id: str) -> list[tuple[str, str, int]]:
    def row(event: UsageEvent) -> tuple[str, str, int]:
        return event.attribution.request_id, event.attribution.endpoint, event.tokens.input_tokens

    assert {row(event)[0] for event in log} == {request_id}
    return [row(event) for event in log]


def test_the_scope_lasts_to_the_end_of_a_stream(log: UsageLog) -> None:
    response: Any = Client().get("/stream", headers={"X-Request-ID": "r"})
    assert len(log) == 0
    assert response.getvalue() == b"ab"
    assert attributed(log, "r") == [("r", "stream", 1), ("r", "stream", 2)]


def test_the_scope_is_not_the_consumers(log: UsageLog) -> None:
    response: Any = Client().get("/stream")
    parts = iter(response.streaming_content)
    assert next(parts) == b"a"
    assert current_attribution().request_id == ""
    assert next(parts) == b"b"
    assert list(parts) == []


@pytest.mark.django_db
def test_the_scope_lasts_to_the_closing_of_a_stream_that_is_left_early(log: UsageLog) -> None:
    response = CostTrackMiddleware(stream)(RequestFactory().get("/stream", headers={"X-Request-ID": "r"}))
    parts = iter(response)  # type: ignore[call-overload]
    next(parts)
    response.close()  # type: ignore[union-attr]
    assert attributed(log, "r") == [("r", "", 2)]


def test_the_scope_lasts_to_the_end_of_an_async_stream(log: UsageLog) -> None:
    async def main() -> bytes:
        response: Any = await AsyncClient().get("/async-stream", headers={"X-Request-ID": "r"})
        return b"".join([part async for part in response.streaming_content])

    assert async_to_sync(main)() == b"ab"
    assert attributed(log, "r") == [("r", "async-stream", 1), ("r", "async-stream", 2)]


def test_the_scope_lasts_to_the_closing_of_an_async_stream_that_is_left_early(log: UsageLog) -> None:
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
